//! Why a command was not started: each stage, with the kernel's own error; and nothing left.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use pidns::{Proc, SpawnError, Stage};
use pidns_testkit::{Mark, again, find, program, skipped, user};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Mode, both};
use tempfile::TempDir;

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const ETXTBSY: i32 = 26;
const ENOSPC: i32 = 28;
const ENAMETOOLONG: i32 = 36;
const ELOOP: i32 = 40;

/// Starts `command`, which has to fail, and looks whether anything is left.
#[track_caller]
fn failure(command: &mut pidns::Command) -> (Stage, i32) {
    let error = fails(command);
    (error.stage(), error.errno())
}

#[track_caller]
fn fails(command: &mut pidns::Command) -> SpawnError {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let error = command.env(key, value).spawn().unwrap_err();
    mark.assert_gone();
    error
}

/// A file in a directory for one test.
fn file(directory: &TempDir, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = directory.path().join(name);
    program::write(&path, content, mode);
    path
}

#[test]
fn programs_that_cannot_be_executed() {
    let directory = TempDir::new().unwrap();
    let plain = file(&directory, "plain", b"#!/bin/sh\n", 0o644);
    let lost = file(&directory, "lost", b"#!/nonexistent/interpreter\n", 0o755);
    let round = directory.path().join("round");
    std::os::unix::fs::symlink(&round, &round).unwrap();
    let busy = file(&directory, "busy", b"\x7fELF", 0o755);
    let _writer = fs::File::options().append(true).open(&busy).unwrap();
    both(|mode| {
        let errno = |program: &std::path::Path| {
            let (stage, errno) = failure(&mut mode.command(program.to_str().unwrap()));
            assert_eq!(stage, Stage::Exec, "{}", program.display());
            errno
        };
        assert_eq!(errno("/nonexistent/program".as_ref()), ENOENT);
        assert_eq!(errno("".as_ref()), ENOENT);
        assert_eq!(errno(&plain), EACCES);
        assert_eq!(errno(directory.path()), EACCES);
        assert_eq!(errno(&plain.join("below")), ENOTDIR);
        assert_eq!(errno(&lost), ENOENT);
        assert_eq!(errno(&round), ELOOP);
        assert_eq!(errno(&busy), ETXTBSY);
        assert_eq!(errno("x".repeat(300).as_ref()), ENAMETOOLONG);
    });
}

#[test]
fn a_file_of_no_known_format_is_for_the_shell() {
    let directory = TempDir::new().unwrap();
    let script = file(&directory, "script", b"exit 9\n", 0o755);
    let empty = file(&directory, "empty", b"", 0o755);
    both(|mode| {
        assert_eq!(mode.command(script.to_str().unwrap()).status().unwrap().code(), Some(9));
        assert_eq!(mode.command(empty.to_str().unwrap()).status().unwrap().code(), Some(0));
    });
}

#[test]
fn directories_that_cannot_be_entered() {
    both(|mode| {
        let enter = |path: &str| failure(mode.command("true").current_dir(path));
        assert_eq!(enter("/nonexistent"), (Stage::Directory, ENOENT));
        assert_eq!(enter("/dev/null"), (Stage::Directory, ENOTDIR));
        assert_eq!(enter(""), (Stage::Directory, ENOENT));
    });
}

#[test]
fn a_limit_of_processes_of_a_user() {
    const NAME: &str = "a_limit_of_processes_of_a_user";
    if rustix::process::geteuid().is_root() {
        // Root has no such limit; the tests without privilege come here too.
        return;
    }
    if again::role().is_none() {
        return again::run(&mut again::command(NAME, "caller"));
    }
    let old = getrlimit(Resource::Nproc);
    both(|mode| {
        let mut stages = Vec::new();
        for limit in 0..500 {
            setrlimit(Resource::Nproc, Rlimit { current: Some(limit), ..old }).unwrap();
            let result = mode.command("true").spawn();
            setrlimit(Resource::Nproc, old).unwrap();
            match result {
                Ok(mut child) => {
                    assert!(child.wait().unwrap().success());
                    break;
                }
                Err(error) => {
                    assert_eq!(error.errno(), EAGAIN, "{error}");
                    assert!(error.hint().unwrap().contains("ulimit -u"));
                    stages.push(error.stage());
                }
            }
        }
        stages.dedup();
        let first = if mode == Mode::Init { Stage::Namespace } else { Stage::Guard };
        assert_eq!(stages.first(), Some(&first), "{stages:?}");
        assert!(stages.iter().all(|s| matches!(s, Stage::Namespace | Stage::Guard | Stage::Fork)));
    });
}

/// The directory of the controller `pids` for this process, if it can be written to.
fn pids_cgroup() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let v1 = own.lines().find_map(|line| line.split_once(":pids:").map(|(_, path)| path));
    let (root, path) = match v1 {
        Some(path) => ("/sys/fs/cgroup/pids", path),
        None => ("/sys/fs/cgroup", own.lines().find_map(|line| line.strip_prefix("0::"))?),
    };
    let directory = PathBuf::from(format!("{root}{path}"));
    // In version 2, those with processes of their own cannot hand on controllers: a sibling it is.
    let parent = if v1.is_none() { directory.parent()?.to_owned() } else { directory };
    let new = parent.join(format!("pidns-test-{}", std::process::id()));
    fs::create_dir(&new).ok()?;
    if new.join("pids.max").exists() {
        return Some(new);
    }
    let _ = fs::remove_dir(&new);
    None
}

#[test]
fn a_limit_of_processes_of_a_cgroup() {
    const NAME: &str = "a_limit_of_processes_of_a_cgroup";
    if let Some(directory) = again::role() {
        let file = |name: &str| PathBuf::from(&directory).join(name);
        fs::write(file("cgroup.procs"), "0").unwrap();
        both(|mode| {
            let mut stages = Vec::new();
            for limit in 1.. {
                fs::write(file("pids.max"), limit.to_string()).unwrap();
                match mode.command("true").spawn() {
                    Ok(mut child) => {
                        assert!(child.wait().unwrap().success());
                        break;
                    }
                    Err(error) => {
                        assert_eq!(error.errno(), EAGAIN, "{error}");
                        stages.push(error.stage());
                    }
                }
            }
            stages.dedup();
            let expected = if mode == Mode::Init {
                [Stage::Namespace, Stage::Fork]
            } else {
                [Stage::Guard, Stage::Namespace]
            };
            assert_eq!(stages, expected);
        });
        return;
    }
    if !user::is_root() {
        return;
    }
    let Some(directory) = pids_cgroup() else {
        skipped!("no pids cgroup can be made here");
        return;
    };
    let output = again::command(NAME, directory.to_str().unwrap()).output().unwrap();
    pidns_testkit::eventually("the cgroup is empty", || fs::remove_dir(&directory).is_ok());
    again::check(&output);
}

/// Runs the test `name` again after `setup` in new namespaces, as root there, if that is possible.
fn in_namespaces(flags: &[&str], setup: &str, name: &str) {
    let Some(_) = find("unshare") else { return };
    let mut wrapper = vec!["unshare", "--user", "--map-root-user"];
    wrapper.extend(flags);
    again::run(&mut again::wrapped(&wrapper, setup, name, "caller"));
}

#[test]
fn a_limit_of_namespaces() {
    const NAME: &str = "a_limit_of_namespaces";
    if again::role().is_none() {
        return in_namespaces(&[], "echo 0 >/proc/sys/user/max_pid_namespaces", NAME);
    }
    both(|mode| {
        let error = fails(&mut mode.command("true"));
        assert_eq!((error.stage(), error.errno()), (Stage::Namespace, ENOSPC));
        assert!(error.hint().unwrap().contains("user.max_pid_namespaces"));
    });
}

#[test]
fn a_proc_that_is_partly_covered() {
    const NAME: &str = "a_proc_that_is_partly_covered";
    if again::role().is_none() {
        // What covers it must have come from a more privileged place.
        let setup = "mount -t tmpfs none /proc/sys
            unshare --user --map-root-user --mount \"$@\"; exit";
        return in_namespaces(&["--mount"], setup, NAME);
    }
    both(|mode| {
        let error = fails(mode.command("true").proc(Proc::Fresh));
        assert_eq!((error.stage(), error.errno()), (Stage::Proc, EPERM));
        assert!(error.hint().unwrap().contains("--no-proc"));
        for proc in [Proc::IfPossible, Proc::Never] {
            assert_eq!(mode.shell("exit 3").proc(proc).status().unwrap().code(), Some(3));
        }
    });
}

#[test]
fn a_proc_that_is_not_there() {
    const NAME: &str = "a_proc_that_is_not_there";
    if let Some(_role) = again::role() {
        assert!(!fs::exists("/proc/self").unwrap());
        both(|mode| {
            for proc in [Proc::IfPossible, Proc::Never] {
                let mut command = mode.shell("exit 3");
                if rustix::process::geteuid().is_root() {
                    assert_eq!(command.proc(proc).status().unwrap().code(), Some(3));
                } else {
                    // What maps its ids is in /proc.
                    let error = command.proc(proc).spawn().unwrap_err();
                    assert_eq!((error.stage(), error.errno()), (Stage::UserMap, ENOENT));
                    assert!(error.hint().unwrap().contains("/proc is not mounted"));
                }
            }
        });
        return;
    }
    if !user::is_root() {
        return;
    }
    let Some(_) = find("unshare").and_then(|_| find("setpriv")) else { return };
    let hide = "mount -t tmpfs none /proc";
    again::run(&mut again::wrapped(&["unshare", "--mount"], hide, NAME, "caller"));
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; exit";
    let hide = format!("{hide}\n{nobody}");
    if reachable() {
        again::run(&mut again::wrapped(&["unshare", "--mount"], &hide, NAME, "caller"));
    }
}

/// Says whether everybody can execute this program.
fn reachable() -> bool {
    let program = std::env::current_exe().unwrap();
    let reachable =
        program.ancestors().all(|path| fs::metadata(path).unwrap().permissions().mode() & 1 == 1);
    if !reachable {
        skipped!("user {} cannot reach {}", user::NOBODY, program.display());
    }
    reachable
}

#[test]
fn a_root_that_cannot_be_written_to_is_no_error() {
    const NAME: &str = "a_root_that_cannot_be_written_to_is_no_error";
    if again::role().is_none() {
        let Some(_) = find("unshare") else { return };
        if !user::is_root() {
            return;
        }
        let setup = "mount -o remount,bind,ro /";
        return again::run(&mut again::wrapped(&["unshare", "--mount"], setup, NAME, "caller"));
    }
    assert!(fs::write("/pidns-test", "").is_err());
    both(|mode| {
        for proc in [Proc::Fresh, Proc::IfPossible, Proc::Never] {
            assert_eq!(mode.shell("exit 3").proc(proc).status().unwrap().code(), Some(3));
        }
    });
}

/// Runs the test `name` again in a PID and a mount namespace, where programs in memory are forbidden.
fn without_programs_in_memory(setup: &str, name: &str) {
    if !fs::exists("/proc/sys/vm/memfd_noexec").unwrap() {
        skipped!("this kernel has no vm.memfd_noexec");
        return;
    }
    let Some(_) = find("unshare") else { return };
    if !user::is_root() {
        return;
    }
    let wrapper = ["unshare", "--pid", "--fork", "--mount-proc"];
    let setup = format!("echo 2 >/proc/sys/vm/memfd_noexec\n{setup}");
    again::run(&mut again::wrapped(&wrapper, &setup, name, "caller"));
}

#[test]
fn where_memory_may_not_be_executed_a_file_system_may() {
    const NAME: &str = "where_memory_may_not_be_executed_a_file_system_may";
    if again::role().is_none() {
        return without_programs_in_memory("", NAME);
    }
    both(|mode| assert_eq!(mode.shell("exit 3").status().unwrap().code(), Some(3)));
}

#[test]
fn without_any_place_for_a_program_there_is_no_number_1() {
    const NAME: &str = "without_any_place_for_a_program_there_is_no_number_1";
    if again::role().is_none() {
        if std::env::current_exe().unwrap().starts_with("/tmp") {
            skipped!("this program is in one of the places");
            return;
        }
        let places = "for place in /dev/shm /run /tmp /var/tmp; do
            [ ! -d $place ] || mount -t tmpfs -o noexec none $place; done";
        return without_programs_in_memory(places, NAME);
    }
    both(|mode| {
        let error = fails(&mut mode.command("true"));
        assert_eq!(error.errno(), EACCES);
        assert!(matches!(error.stage(), Stage::Image | Stage::Guard), "{error}");
        assert!(error.hint().unwrap().contains("vm.memfd_noexec"), "{error}");
    });
}

#[test]
fn user_namespaces_may_be_forbidden() {
    const NAME: &str = "user_namespaces_may_be_forbidden";
    if again::role().is_none() {
        let Some(_) = find("setpriv") else { return };
        // Root there, but without any capability, so that another user namespace would be needed.
        let setup = "echo 0 >/proc/sys/user/max_user_namespaces
            setpriv --bounding-set=-all --inh-caps=-all \"$@\"; exit";
        return in_namespaces(&[], setup, NAME);
    }
    both(|mode| {
        let error = fails(&mut mode.command("true"));
        assert_eq!((error.stage(), error.errno()), (Stage::Namespace, ENOSPC));
        assert!(error.hint().unwrap().contains("user.max_user_namespaces"));
    });
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same_without_privilege", &[]);
}
