//! The smallest embedder, `no_std`: a sink of fixed size, no allocation of its own. `std` is only there for `main`, which
//! shows on a host that it works; the crate itself builds for a bare target with
//! `cargo build -p pidns-core --no-default-features --target x86_64-unknown-none`.
#![no_std]

extern crate std;

use pidns_core::{
    CloneArgs, Config, Effect, EffectSink, ExitOutcome, ExitStatus, Result, Root, TaskId, TaskSet,
};

/// Room for what one CPU has to do: a kernel would set a bit in the task instead.
struct Mailbox {
    killed: [Option<TaskId>; 16],
    resumed: Option<TaskId>,
}

impl EffectSink for Mailbox {
    fn emit(&mut self, effect: Effect) {
        match effect {
            Effect::Kill { task } => {
                if let Some(free) = self.killed.iter_mut().find(|slot| slot.is_none()) {
                    *free = Some(task);
                }
            }
            Effect::ZapReady { task } => self.resumed = Some(task),
            _ => {}
        }
    }
}

/// Makes a namespace with a member, ends its init, and returns what became of it.
fn destroy_a_namespace() -> Result<ExitOutcome> {
    let mut mailbox = Mailbox { killed: [None; 16], resumed: None };
    let mut tasks: TaskSet = TaskSet::new(Config::default())?;
    let host = tasks.boot((), ())?;
    let init = tasks.clone_task(host, &CloneArgs::new_pid_ns(), &Root, || (), (), &mut mailbox)?;
    tasks.clone_task(init, &CloneArgs::fork(), &Root, || (), (), &mut mailbox)?;
    let mut outcome = tasks.exit(init, ExitStatus::exited(0), &mut mailbox)?;
    for slot in 0..mailbox.killed.len() {
        if let Some(task) = mailbox.killed[slot].take() {
            tasks.exit(task, ExitStatus::exited(0), &mut mailbox)?;
        }
    }
    while let Some(task) = mailbox.resumed.take() {
        outcome = tasks.exit_resume(task, &mut mailbox)?;
    }
    Ok(outcome)
}

fn main() {
    assert_eq!(destroy_a_namespace(), Ok(ExitOutcome::Zombie));
    std::println!("everything in the namespace is gone, and its init is a zombie");
}
