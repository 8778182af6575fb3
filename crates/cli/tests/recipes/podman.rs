//! Containers and pods: `pidns-init` as entrypoint, and `pidns run` inside.
//!
//! The image is built from nothing but what this machine has: no registry is asked, and podman's storage is a scratch
//! directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::support::{Daemon, Limited, Scratch, command, file, find, is_root, pidns, skip, text};

/// Podman, with an image made by the recipe's Containerfile.
struct Podman {
    scratch: Scratch,
}

const IMAGE: &str = "localhost/guarded:1";

/// What the image has besides pidns: busybox under these names.
const APPLETS: [&str; 10] =
    ["sh", "cat", "echo", "id", "mkfifo", "mktemp", "ps", "rm", "setsid", "sleep"];

/// No network, and no limits that this user could not set.
const CONFIGURATION: &str = "[containers]\nnetns = \"none\"\n\
    default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
    [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";

impl Podman {
    /// Builds the image, or says why no container runs here.
    fn new() -> Result<Self, String> {
        if !is_root() {
            return Err("podman is used as root here".into());
        }
        for program in ["podman", "busybox", "ldd", "tar"] {
            find(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        let podman = Self { scratch: Scratch::new() };
        podman.scratch.write("containers.conf", CONFIGURATION);
        podman.import_base();
        let works =
            podman.call(["run", "--rm", "localhost/base:1", "sh", "-c", "echo works"]).end();
        if works.stdout != "works\n" {
            return Err(format!("podman runs no container here: {}", works.stderr.trim()));
        }
        podman.build();
        Ok(podman)
    }

    /// A base image with busybox, and the libraries of whatever is not static.
    fn import_base(&self) {
        let base = self.scratch.join("base");
        for directory in ["bin", "usr/bin", "etc", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let busybox = find("busybox").unwrap();
        fs::copy(&busybox, base.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", base.join("bin").join(applet)).unwrap();
        }
        for program in [busybox.as_path(), pidns()] {
            let libraries = command("ldd").arg(program).end().stdout;
            for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
                let copy = base.join(library.trim_start_matches('/'));
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                fs::copy(library, copy).unwrap();
            }
        }
        let tar = self.scratch.join("base.tar");
        command("tar").arg("-C").arg(base).arg("-cf").arg(&tar).arg(".").end().succeeded();
        self.call([OsStr::new("import"), tar.as_os_str(), "localhost/base:1".as_ref()])
            .end()
            .succeeded();
    }

    fn build(&self) {
        let context = self.scratch.join("context");
        fs::create_dir(&context).unwrap();
        fs::copy(pidns(), context.join("pidns")).unwrap();
        fs::copy(file("leave-daemon.sh"), context.join("leave-daemon.sh")).unwrap();
        let init = self.scratch.write("context/pidns-init", pidns_init::IMAGE);
        fs::set_permissions(init, fs::Permissions::from_mode(0o755)).unwrap();
        let mut build = self.call([
            "build",
            "--layers=false",
            "--build-arg=BASE=localhost/base:1",
            "-t",
            IMAGE,
            "-f",
        ]);
        build.arg(file("Containerfile")).arg(context).end().succeeded();
    }

    fn call(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut podman = command("podman");
        podman.env("CONTAINERS_CONF", self.scratch.join("containers.conf"));
        for (option, directory) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            podman.arg(option).arg(self.scratch.join(directory));
        }
        podman.arg("--storage-driver=vfs").args(arguments);
        podman
    }

    /// Runs a shell script in a container with `options`, and returns its output.
    fn shell(&self, options: &[&str], script: &str) -> String {
        let mut run = self.call(["run", "--rm"]);
        run.args(options).args([IMAGE, "sh", "-c", script]).end().succeeded()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        for what in ["pod", "container"] {
            // What is left after a failure; there may be none.
            let _ = self.call([what, "rm", "--force", "--all", "--time=0"]).output();
        }
    }
}

macro_rules! podman {
    () => {
        match Podman::new() {
            Ok(podman) => podman,
            Err(why) => skip!("{why}"),
        }
    };
}

/// Stops a container that sleeps, with that patience, and returns the exit code.
fn stop(podman: &Podman, options: &[&str], patience: &str) -> String {
    let mut run = podman.call(["run", "--detach", "--name=stopped"]);
    run.args(options).args([IMAGE, "sleep", "infinity"]).end().succeeded();
    podman.call(["stop", patience, "stopped"]).end().succeeded();
    let code = podman.call(["wait", "stopped"]).end().succeeded();
    podman.call(["rm", "stopped"]).end().succeeded();
    code.trim().to_owned()
}

#[test]
fn an_entrypoint_passes_on_the_signal_that_stops_a_container() {
    let podman = podman!();
    assert_eq!(stop(&podman, &[], "--time=30"), "143", "ended by SIGTERM: 128+15");
    // The kernel keeps SIGTERM from a number 1 that has no handler for it.
    assert_eq!(stop(&podman, &["--entrypoint=[]"], "--time=1"), "137", "ended by SIGKILL: 128+9");
}

/// Leaves a daemon behind in a container that lives on, and returns what pidns said and which processes are there then.
fn leave(podman: &Podman, options: &[&str], daemon: &Daemon) -> String {
    let leave =
        format!("pidns run --leaks fail -- sh /usr/bin/leave-daemon.sh {}", daemon.seconds());
    podman.shell(options, &format!("{leave} 2>&1; echo code $?; ps -o comm"))
}

fn assert_left_and_killed(output: &str, daemon: &Daemon) {
    assert!(output.contains("1 process was left behind"), "{output}");
    assert!(daemon.is_listed(output), "{output}");
    assert!(output.contains("\ncode 123\n"), "{output}");
    let (_, processes) = output.split_once("\nCOMMAND\n").unwrap();
    assert_eq!(processes.split_whitespace().collect::<Vec<_>>(), ["pidns-init", "ps"]);
}

#[test]
fn pidns_run_works_in_a_container_with_the_default_profile() {
    let (podman, daemon) = (podman!(), Daemon::new());
    assert_left_and_killed(&leave(&podman, &[], &daemon), &daemon);
}

#[test]
fn pidns_run_works_in_a_container_for_a_user_without_any_privilege() {
    let (podman, daemon) = (podman!(), Daemon::new());
    let options = ["--user=1000:1000", "--cap-drop=all", "--security-opt=no-new-privileges"];
    assert_left_and_killed(&leave(&podman, &options, &daemon), &daemon);
}

#[test]
fn pidns_run_has_a_fresh_proc_in_a_privileged_container() {
    let (podman, daemon) = (podman!(), Daemon::new());
    assert_left_and_killed(&leave(&podman, &["--privileged"], &daemon), &daemon);
    let processes =
        podman.shell(&["--privileged"], "pidns run --engine kernel --proc -- ps -o pid,comm");
    let words: Vec<_> = processes.split_whitespace().collect();
    assert_eq!(words, ["PID", "COMMAND", "1", "pidns-init", "2", "ps"]);
}

#[test]
fn a_pod_of_kubernetes_runs_to_its_end() {
    let (podman, daemon) = (podman!(), Daemon::new());
    let pod = text("pod.yaml").replace("\"300\"", &format!("\"{}\"", daemon.seconds()));
    assert!(pod.contains(daemon.seconds()));
    let pod = podman.scratch.write("pod.yaml", pod);
    podman.call(["kube", "play"]).arg(pod).end().succeeded();
    assert_eq!(podman.call(["wait", "guarded-job"]).end().succeeded(), "0\n");
    let report = podman.call(["logs", "guarded-job"]).end().succeeded();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["exit_code"], 0, "{report}");
    assert!(daemon.is_reported(&report["leaks"]), "{report}");
    daemon.assert_gone();
}

/// A seccomp profile that refuses new namespaces with EPERM, as the default profiles of others do.
fn without_namespaces() -> serde_json::Value {
    // CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS: see clone(2).
    const FLAGS: [u64; 3] = [0x1000_0000, 0x2000_0000, 0x0002_0000];
    const EPERM: i32 = 1;
    const ENOSYS: i32 = 38;
    let refuse = |names: &[&str], errno: i32, arguments: serde_json::Value| {
        serde_json::json!({
            "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": arguments
        })
    };
    let clone = FLAGS.map(|flag| {
        let with = serde_json::json!([
            {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
        ]);
        refuse(&["clone"], EPERM, with)
    });
    let all = serde_json::json!([]);
    let others =
        [refuse(&["unshare", "setns"], EPERM, all.clone()), refuse(&["clone3"], ENOSYS, all)];
    let syscalls: Vec<_> = clone.into_iter().chain(others).collect();
    serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls})
}

/// The option for a container without namespaces of the kernel for its processes.
fn without_namespaces_option(podman: &Podman) -> String {
    let profile = podman.scratch.write("seccomp.json", without_namespaces().to_string());
    let option = format!("--security-opt=seccomp={}", profile.display());
    let refused = podman.shell(&[&option], "pidns run --engine kernel -- true; echo code $?");
    assert_eq!(refused, "code 125\n", "the profile is of no use");
    option
}

#[test]
fn pidns_run_works_where_the_profile_refuses_namespaces() {
    let (podman, daemon) = (podman!(), Daemon::new());
    let option = without_namespaces_option(&podman);
    let leave = format!("pidns run -- sh /usr/bin/leave-daemon.sh {}", daemon.seconds());
    let output = podman.shell(&[&option], &format!("{leave} 2>&1; echo code $?; ps -o comm"));
    assert_eq!(output, "code 0\nCOMMAND\npidns-init\nps\n");
}

#[test]
fn pidns_run_says_what_was_left_where_the_profile_refuses_namespaces() {
    let (podman, daemon) = (podman!(), Daemon::new());
    let option = without_namespaces_option(&podman);
    assert_left_and_killed(&leave(&podman, &[&option], &daemon), &daemon);
}
