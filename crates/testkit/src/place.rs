//! Places where the kernel gives no PID namespaces: where only the ptrace engine is left.
//!
//! * [`switched_off`]: a user namespace whose limit of PID namespaces is 0, and in it a user without privilege.
//! * [`behind_a_container_s_filter`]: the answers of a default container.

use std::path::Path;
use std::process::Command;

use pidns_sys::abi;
use pidns_sys::seccomp::{self, Rule, Test, Verdict};

use crate::{skipped, user};

/// What `unshare` is to run, as root of a new user namespace: switches PID namespaces off, and becomes somebody else.
const SWITCH_OFF: &str = "echo 0 >/proc/sys/user/max_pid_namespaces && \
                          exec unshare --map-user=1000 --map-group=1000 \"$@\"";

/// The words before a command that is to run where PID namespaces are switched off, without privilege.
pub const SWITCHED_OFF: [&str; 6] = ["unshare", "-Ur", "sh", "-c", SWITCH_OFF, "switched-off"];

/// A command that is to run `program` where PID namespaces are switched off, without privilege; the reason if there can
/// be no such place.
///
/// # Errors
/// In words: why not.
pub fn switched_off(program: &Path) -> Result<Command, String> {
    let prefixed = |program: &Path| {
        let mut command = Command::new(SWITCHED_OFF[0]);
        command.args(&SWITCHED_OFF[1..]).arg(program);
        command
    };
    match prefixed("true".as_ref()).output() {
        Ok(output) if output.status.success() => Ok(prefixed(program)),
        Ok(output) => Err(format!(
            "no user namespace can be had: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("no unshare: {error}")),
    }
}

/// Lets the calling thread, and what it starts from now on, have no privileges and the answers of a default container:
/// `EPERM` for namespaces and mounts, `ENOSYS` for clone3.
///
/// # Panics
/// If the kernel has no filters.
pub fn install_a_container_s_filter() {
    /// The `CLONE_NEW*` of clone(2).
    const NEW: u32 = 0x7e02_0000;
    let eperm = Verdict::Fail(abi::EPERM as u16);
    let rules = [
        (abi::SYS_unshare, vec![], eperm),
        (abi::SYS_setns, vec![], eperm),
        (abi::SYS_mount, vec![], eperm),
        (abi::SYS_clone3, vec![], Verdict::Fail(abi::ENOSYS as u16)),
        (abi::SYS_clone, vec![(Test::Has(0, NEW), eperm)], Verdict::Allow),
    ];
    let rules = rules.map(|(call, tests, otherwise)| Rule { call, tests, otherwise });
    seccomp::no_new_privileges().expect("anybody may");
    seccomp::compile(rules.into()).install().expect("the filter is valid");
}

/// Runs `work` in a thread behind that filter.
///
/// # Panics
/// If `work` does.
pub fn behind_a_container_s_filter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            install_a_container_s_filter();
            work()
        });
        thread.join().expect("the work does not panic")
    })
}

/// Runs all tests of this test program but those that begin with `these` again, where PID namespaces are switched off.
/// `programs` as in [`user::again_as_nobody`].
///
/// # Panics
/// If one fails.
#[track_caller]
pub fn again_switched_off(these: &str, programs: &[&Path]) {
    if let Err(why) = switched_off("true".as_ref()) {
        return skipped!("{why}");
    }
    let place = |program: &Path| switched_off(program).expect("it was had before");
    user::again(these, programs, place);
}

/// The same behind a container's filter, as a user without privilege.
///
/// # Panics
/// If one fails.
#[track_caller]
pub fn again_behind_a_container_s_filter(these: &str, programs: &[&Path]) {
    behind_a_container_s_filter(|| user::again(these, programs, user::unprivileged));
}
