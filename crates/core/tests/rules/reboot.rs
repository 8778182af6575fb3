//! reboot(2) in a namespace: rows RBT.

use crate::world::*;
use pidns_core::*;

fn reboot(w: &mut World, caller: TaskId, command: RebootCommand) -> Result<RebootOutcome> {
    w.call(|set, out| set.reboot(caller, command, &Root, out))
}

/// Reboots from `caller`, who then exits as reboot demands, and returns what init's parent sees.
fn status_of_reboot(command: RebootCommand, by_init: bool) -> Waited {
    let mut w = World::new();
    let init = w.init(w.root);
    let member = w.fork(init);
    let caller = if by_init { init } else { member };
    let mut out = Inline::new();
    assert_eq!(w.set.reboot(caller, command, &Root, &mut out), Ok(RebootOutcome::CallerExits));
    w.set.exit(caller, ExitStatus::exited(0), &mut out).unwrap();
    out.settle(&mut w.set);
    w.set.check_invariants().unwrap();
    assert!(w.is_gone(member));
    w.wait(w.root)
}

// RBT-01 RBT-03
#[test]
fn restart_ends_the_namespace_with_sighup_for_inits_parent() {
    for by_init in [true, false] {
        assert_eq!(
            status_of_reboot(RebootCommand::Restart, by_init),
            Ok(Some((2, killed(Signal::HUP))))
        );
    }
}

// RBT-02 RBT-03
#[test]
fn halt_and_power_off_end_it_with_sigint() {
    for command in [RebootCommand::Halt, RebootCommand::PowerOff] {
        for by_init in [true, false] {
            assert_eq!(status_of_reboot(command, by_init), Ok(Some((2, killed(Signal::INT)))));
        }
    }
}

// RBT-04
#[test]
fn other_commands_are_invalid_and_do_nothing() {
    let mut w = World::new();
    let init = w.init(w.root);
    assert_eq!(reboot(&mut w, init, RebootCommand::Other), Err(Errno::EINVAL));
    assert!(w.lives(init));
}

/// May not reboot.
struct Sailor;

impl Authority for Sailor {
    fn capable(&self, _: UserNs, capability: Capability) -> bool {
        capability != Capability::SysBoot
    }
}

// RBT-05
#[test]
fn the_capability_is_checked_before_the_command() {
    let mut w = World::new();
    let init = w.init(w.root);
    let result = w.call(|set, out| set.reboot(init, RebootCommand::Other, &Sailor, out));
    assert_eq!(result, Err(Errno::EPERM));
}

// RBT-06
#[test]
fn only_the_callers_own_namespace_dies() {
    let mut w = World::new();
    let outer = w.init(w.root);
    let inner = w.init(outer);
    assert_eq!(reboot(&mut w, inner, RebootCommand::Restart), Ok(RebootOutcome::CallerExits));
    assert!(w.lives(outer) && w.is_zombie(inner));
    assert_eq!(w.wait(outer), Ok(Some((2, killed(Signal::HUP)))));
}

#[test]
fn in_the_root_namespace_it_means_the_machine() {
    let mut w = World::new();
    let root = w.root;
    assert_eq!(reboot(&mut w, root, RebootCommand::Other), Ok(RebootOutcome::Machine));
}

// RBT-01
#[test]
fn the_sigchld_of_a_rebooted_init_tells_of_its_own_exit_and_wait_of_the_reboot() {
    let mut w = World::new();
    let shell = w.fork(w.root);
    w.action(shell, Signal::CHLD, HANDLER);
    let init = w.init(shell);
    let mut out = Inline::new();
    w.set.reboot(init, RebootCommand::Halt, &Root, &mut out).unwrap();
    w.set.exit(init, ExitStatus::exited(0), &mut out).unwrap();
    out.settle(&mut w.set);
    let (_, told) = out.handled[0];
    assert_eq!((told.code, told.pid, told.value), (SigCode::EXITED, 3, 0));
    assert_eq!(w.wait(shell), Ok(Some((3, killed(Signal::INT)))));
}
