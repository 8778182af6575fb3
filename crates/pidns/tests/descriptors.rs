//! Which descriptors reach a command, and what becomes of those of the caller.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use pidns_testkit::{again, user};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Running, both};

/// A copy of `fd` at `floor` or above that an exec does not close.
fn open_for_all(fd: impl AsFd, floor: i32) -> OwnedFd {
    let copy = fcntl_dupfd_cloexec(fd, floor).unwrap();
    fcntl_setfd(&copy, FdFlags::empty()).unwrap();
    copy
}

#[test]
fn only_the_standard_ones_reach_the_command() {
    let null = std::fs::File::open("/dev/null").unwrap();
    let _held: Vec<_> = [3, 4, 5, 9, 10, 11, 100, 900].map(|n| open_for_all(&null, n)).into();
    both(|mode| {
        let output = mode.command("ls").arg("/proc/self/fd").output().unwrap();
        // The last one is the directory itself.
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n1\n2\n3\n");
    });
}

#[test]
fn nobody_around_the_command_keeps_a_pipe_of_the_caller() {
    both(|mode| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let writer = open_for_all(OwnedFd::from(writer), 3);
        let mut running = Running::start(mode, "");
        drop(writer);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
        running.end();
        running.child.wait().unwrap();
    });
}

#[test]
fn number_1_closes_what_the_command_closes() {
    both(|mode| {
        let mut command = mode.shell("exec >/dev/null; sleep 300; :");
        let mut child = command.stdout(pidns::Stdio::piped()).spawn().unwrap();
        let mut rest = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
    });
}

#[test]
fn the_callers_table_is_as_before() {
    const NAME: &str = "the_callers_table_is_as_before";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    both(|mode| {
        // The first one puts number 1 into memory, for good.
        assert!(mode.command("true").status().unwrap().success());
        let before = table();
        for _ in 0..10 {
            assert!(mode.command("true").output().unwrap().status.success());
            assert!(mode.command("/nonexistent").spawn().is_err());
            drop(mode.command("sleep").arg("300").spawn().unwrap());
        }
        assert_eq!(table(), before);
    });
}

/// What the descriptors of this process lead to, without their numbers, which other threads may take.
fn table() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let mut links: Vec<_> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    links.sort();
    links
}

#[test]
fn too_few_descriptors_are_an_error_that_leaves_nothing() {
    const NAME: &str = "too_few_descriptors_are_an_error_that_leaves_nothing";
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let old = getrlimit(Resource::Nofile);
    both(|mode| {
        let before = table();
        let mut failed = 0;
        for limit in 3.. {
            setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..old }).unwrap();
            let result = mode.command("true").output();
            setrlimit(Resource::Nofile, old).unwrap();
            let Err(error) = result else { break };
            let error = error.get_ref().unwrap().downcast_ref::<pidns::SpawnError>().unwrap();
            // EINVAL is what the kernel calls a number above the limit.
            assert!(matches!(error.errno(), 22 | 24), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("ulimit -n")), "{error}");
            failed += 1;
        }
        assert!(failed > 5, "{failed}");
        let after: Vec<_> =
            table().into_iter().filter(|link| !link.starts_with("/memfd:pidns-init")).collect();
        let before: Vec<_> =
            before.into_iter().filter(|link| !link.starts_with("/memfd:pidns-init")).collect();
        assert_eq!(after, before);
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
