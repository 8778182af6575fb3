//! Programs that start others in ways of their own, below `pidns run --engine ptrace`.
#![cfg(target_arch = "x86_64")]
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use pidns_testkit::{Terminal, find, place, skipped, user};
use support::{BUILT, ended, interrupt_reaches_the_command_once, run, search};
use tempfile::TempDir;

/// What `words` write in `directory`, below the engine.
#[track_caller]
fn inside(directory: &TempDir, words: &[&str]) -> String {
    let mut command = run(["--engine", "ptrace", "--timeout", "120s", "--"]);
    command.args(words).current_dir(directory).env("HOME", directory.path());
    // Else tmux takes the one of /etc/passwd, which lets an unprivileged user in a test do nothing.
    command.env("SHELL", "/bin/sh");
    // As users have them, and not as cargo sets them for tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO")) {
        command.env_remove(name);
    }
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        command.env("CARGO_HOME", home);
    }
    let (code, stdout, stderr) = ended(&mut command);
    assert_eq!(code, 0, "{words:?}\n{stdout}\n{stderr}");
    stdout
}

/// A directory with one file.
fn with(name: &str, text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), text).unwrap();
    directory
}

/// A directory with a program, built from `programs`.
fn with_program(name: &str) -> Option<TempDir> {
    find("cc")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let directory = empty();
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-pthread", "-o", name]).arg(source).current_dir(directory.path());
    assert!(cc.status().unwrap().success());
    Some(directory)
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn dash() {
    if find("dash").is_none() {
        return;
    }
    let script =
        "sleep 0 & a=$!; (exit 5) & wait $!; echo $? $$; wait $a; echo $(exec sh -c 'echo $PPID')";
    assert_eq!(inside(&empty(), &["dash", "-c", script]), "5 2\n2\n");
}

#[test]
fn an_interactive_bash_controls_its_jobs() {
    let Some(mut terminal) = Terminal::shell() else { return };
    terminal.enter(&format!("export PATH={}; unset PIDNS_ENGINE PIDNS_LEAKS", search().display()));
    terminal.expect("ready$ ");
    interrupt_reaches_the_command_once(&mut terminal, "pidns run --engine ptrace --");
    terminal.enter("PS1='inner$ ' pidns run --engine ptrace -- bash --norc --noprofile -i");
    terminal.expect("inner$ ");
    terminal.enter("sh -c 'echo -up-; exec sleep 300'");
    terminal.expect("-up-");
    terminal.press("\x1a");
    terminal.expect("Stopped");
    terminal.expect("inner$ ");
    terminal.enter("bg; fg");
    terminal.await_in_front("sleep");
    terminal.press("\x03");
    terminal.expect("inner$ ");
    terminal.enter("echo status $?; exit");
    terminal.expect("status 130");
    terminal.expect("ready$ ");
}

#[test]
fn python_with_multiprocessing_and_subprocesses_of_asyncio() {
    if find("python3").is_none() {
        return;
    }
    let script = "import asyncio, multiprocessing, os\n\
        def square(n): return n * n\n\
        async def child(n):\n\
        \x20   p = await asyncio.create_subprocess_exec('sh', '-c', f'exit {n}')\n\
        \x20   return await p.wait()\n\
        async def children(): return await asyncio.gather(*map(child, range(8)))\n\
        if __name__ == '__main__':\n\
        \x20   for way in ('fork', 'spawn', 'forkserver'):\n\
        \x20       with multiprocessing.get_context(way).Pool(2) as pool: print(pool.map(square, range(4)))\n\
        \x20   print(asyncio.run(children()), os.getpid())\n";
    let squares = "[0, 1, 4, 9]\n".repeat(3);
    let expected = format!("{squares}[0, 1, 2, 3, 4, 5, 6, 7] 2\n");
    assert_eq!(inside(&with("all.py", script), &["python3", "all.py"]), expected);
}

#[test]
fn node_with_child_processes() {
    if find("node").is_none() {
        return;
    }
    let script = "const { spawn, spawnSync, execSync } = require('child_process');\n\
        console.log(process.pid, String(execSync('echo $PPID')).trim(), spawnSync('sh', ['-c', 'exit 3']).status);\n\
        const child = spawn('sh', ['-c', 'echo $$; kill -TERM $$']);\n\
        child.stdout.on('data', (data) => console.log(Number(data) === child.pid));\n\
        child.on('close', (code, signal) => console.log(code, signal));";
    assert_eq!(inside(&empty(), &["node", "-e", script]), "2 2 3\ntrue\nnull SIGTERM\n");
}

#[test]
fn make_with_several_jobs() {
    if find("make").is_none() {
        return;
    }
    let makefile = "all: 1 2 3 4 5 6 7 8\n\t@cat out.*\n%:\n\t@$(MAKE) --no-print-directory -s out.$@\n\
        out.%:\n\t@echo $* > $@\n";
    let expected = "1\n2\n3\n4\n5\n6\n7\n8\n";
    assert_eq!(inside(&with("Makefile", makefile), &["make", "-s", "-j4"]), expected);
}

#[test]
fn cargo_build() {
    if find("cargo").is_none() {
        return;
    }
    let directory = with(
        "Cargo.toml",
        "[package]\nname = \"inner\"\nedition = \"2021\"\n[[bin]]\nname = \"inner\"\npath = \"main.rs\"\n",
    );
    fs::write(
        directory.path().join("main.rs"),
        "fn main() { println!(\"{}\", std::process::id()); }",
    )
    .unwrap();
    // Where rustup has no toolchain for this HOME, the one of the tests is meant.
    let script = "RUSTUP_HOME=${RUSTUP_HOME:-$0/.rustup} CARGO_HOME=${CARGO_HOME:-$0/.cargo} \
                  cargo build -q --offline -j2 && exec target/debug/inner";
    let home = std::env::var("HOME").unwrap_or_default();
    assert_eq!(inside(&directory, &["sh", "-c", script, &home]), "2\n");
}

#[test]
fn git_with_its_helpers() {
    if find("git").is_none() {
        return;
    }
    let script = "set -e; export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; \
        git init -q one; cd one; echo text >file; git add file; \
        git -c user.name=n -c user.email=e commit -q -m first; cd ..; \
        git clone -q file://$PWD/one two; git -C two gc -q; git -C two log --format=%s; git -C two fsck 2>&1 | tail -0";
    assert_eq!(inside(&empty(), &["sh", "-c", script]), "first\n");
}

#[test]
fn tmux_with_a_session_in_the_background() {
    if find("tmux").is_none() {
        return;
    }
    let script = "tmux='tmux -S ./socket -f /dev/null'; \
        $tmux new-session -d 'tty >out; tmux -S ./socket wait-for -S done; exec sleep 300' && \
        $tmux wait-for done && grep -c /dev/ out && $tmux list-sessions -F '#{session_windows}'";
    assert_eq!(inside(&empty(), &["sh", "-c", script]), "1\n1\n");
}

#[test]
fn go_with_goroutines_and_raw_clones() {
    if find("go").is_none() {
        return;
    }
    let program = r#"package main
import ("fmt"; "os"; "os/exec"; "runtime"; "sync"; "syscall")
func main() {
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			err := exec.Command("sh", "-c", "test $PPID = 2 && exit 7").Run()
			if err == nil || err.(*exec.ExitError).ExitCode() != 7 { fmt.Println(err) }
		}()
	}
	all.Wait()
	child := exec.Command("sh", "-c", "echo $$")
	out, err := child.Output()
	fmt.Println(os.Getpid(), string(out) == fmt.Sprintln(child.Process.Pid), err)
	inner := exec.Command("sh", "-c", "echo $$")
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err = inner.Output()
	fmt.Println(string(out) == "1\n", err)
}
"#;
    let directory = with("main.go", program);
    let cache = "GO111MODULE=off GOFLAGS= GOCACHE=$PWD/cache GOTOOLCHAIN=local";
    let script = format!("env {cache} go build -o prog main.go && exec ./prog");
    assert_eq!(inside(&directory, &["sh", "-c", &script]), "2 true <nil>\ntrue <nil>\n");
}

#[test]
fn java_with_a_child() {
    if find("javac").is_none() || find("java").is_none() {
        return;
    }
    let program = r#"public class Main {
  public static void main(String[] args) throws Exception {
    Process child = new ProcessBuilder("sh", "-c", "echo $$; exit 4").start();
    String own = new String(child.getInputStream().readAllBytes()).trim();
    System.out.println(ProcessHandle.current().pid() + " " + own.equals("" + child.pid()) + " " + child.waitFor());
  }
}"#;
    let directory = with("Main.java", program);
    assert_eq!(inside(&directory, &["java", "-Xshare:auto", "Main.java"]), "2 true 4\n");
}

#[test]
fn a_static_program_of_musl() {
    if find("musl-gcc").is_none() {
        return;
    }
    let program = "#include <stdio.h>\n#include <unistd.h>\n#include <spawn.h>\n#include <sys/wait.h>\n\
        int main(void) {\n\
        pid_t pid = fork(); if (!pid) _exit(getppid() == getpid() - 1 ? 3 : 4);\n\
        int status; waitpid(pid, &status, 0);\n\
        char *words[] = {\"sh\", \"-c\", \"exit 5\", 0}; int other;\n\
        if (posix_spawnp(&pid, \"sh\", 0, 0, words, 0) || waitpid(pid, &other, 0) != pid) return 1;\n\
        printf(\"%d %d %d %d\\n\", getpid(), pid, WEXITSTATUS(status), WEXITSTATUS(other)); return 0; }\n";
    let directory = with("main.c", program);
    let path = directory.path();
    let built = Command::new("musl-gcc")
        .args(["-static", "-o", "prog", "main.c"])
        .current_dir(path)
        .status()
        .unwrap();
    assert!(built.success());
    assert_eq!(inside(&directory, &["./prog"]), "2 4 3 5\n");
}

/// set_tid_address(2) is put off until there are threads: nobody is to notice.
#[test]
fn a_thread_joins_the_first_one() {
    let Some(directory) = with_program("joins") else { return };
    assert_eq!(inside(&directory, &["./joins"]), "0\n");
    // Some kernels have no PR_GET_TID_ADDRESS.
    let outside = ended(Command::new(directory.path().join("joins")).arg("ask")).1;
    assert_eq!(inside(&directory, &["./joins", "ask"]), outside);
}

/// Most processes end without a stop, in which these mutexes would be mended.
#[test]
fn robust_mutexes_of_processes_and_threads() {
    let Some(directory) = with_program("robust") else { return };
    assert_eq!(inside(&directory, &["./robust"]), "130\n".repeat(5));
}

/// The C library's getpid(2) is made to know the number of its process.
#[test]
fn a_process_knows_its_own_number_however_it_has_come_about() {
    let Some(directory) = with_program("numbers") else { return };
    let outside = ended(&mut Command::new(directory.path().join("numbers"))).1;
    assert!(outside.contains("fork: 0, and then 0\n"), "{outside}");
    assert_eq!(inside(&directory, &["./numbers"]), outside);
}

/// What is done with SIGCHLD is not always told to the tracer, and not every wait has a stop of its own at its end.
#[test]
fn waits_and_what_is_done_with_sigchld() {
    let Some(directory) = with_program("waits") else { return };
    let program = directory.path().join("waits");
    let outside = ended(&mut Command::new(&program)).1;
    assert!(outside.starts_with("by default: wait4: the child 768,"), "{outside}");
    assert_eq!(inside(&directory, &["./waits"]), outside);
    let Some(python) = find("python3") else { return };
    let ignoring = "import os, signal, sys\n\
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = Command::new(&python);
    let outside = ended(command.args(["-c", ignoring]).arg(&program)).1;
    assert!(outside.starts_with("by default: wait4: ECHILD"), "{outside}");
    let mut command = Command::new(&python);
    command.args(["-c", ignoring, BUILT, "run", "--engine", "ptrace", "--as-init", "--"]);
    assert_eq!(ended(command.arg(&program)), (0, outside, String::new()));
}

/// Places in the C library make children by themselves, and their makers do not stop for that.
#[test]
fn children_of_vfork_and_posix_spawn_have_the_numbers_that_their_makers_get() {
    let Some(directory) = with_program("births") else { return };
    let outside = ended(&mut Command::new(directory.path().join("births"))).1;
    assert!(outside.contains("after threads, posix_spawn: 4 of 4\n"), "{outside}");
    assert_eq!(inside(&directory, &["./births"]), outside);
    // No number is left for another one.
    let refused = "before: 4 of 4\nat the limit: -1 Resource temporarily unavailable, child 0\n\
        303 were made, and 303 found\nand then: 4 of 4\n";
    assert_eq!(inside(&directory, &["./births", "limit"]), refused);
}

/// Places in the C library look by themselves whether there is a child to be waited for.
#[test]
fn waits_that_do_not_wait_find_what_there_is() {
    let Some(directory) = with_program("peeks") else { return };
    let outside = ended(&mut Command::new(directory.path().join("peeks"))).1;
    assert!(outside.ends_with("filtered: -1, ECHILD 1\n"), "{outside}");
    assert_eq!(inside(&directory, &["./peeks"]), outside);
    let nested = inside(&directory, &["./peeks", "nest"]);
    let found = "number 1: an orphan, 1, 9\nnumber 1: 0\nits namespace: -1, ENOMEM 1\n";
    assert!(nested.ends_with(found), "{nested}");
}

/// Who has another user, or one of another user namespace.
#[test]
fn users_may_signal_whom_they_may_outside() {
    let tools = find("setpriv").and(find("unshare")).filter(|_| user::is_root());
    if tools.is_none() {
        return skipped!("root has to change users");
    }
    let script = "try() { sleep 1000 & s=$!; \
        \"$@\" sh -c \"kill $s\" && echo sent || { echo refused; kill -9 $s; }; wait $s; echo $?; }\n\
        exec 2>/dev/null\n\
        try env; try setpriv --reuid=1 --clear-groups; try setpriv --ruid=1 --clear-groups\n\
        try unshare -U; try unshare -U -r; try setpriv --reuid=1 --clear-groups unshare -U -r\n\
        try setpriv --reuid=0 --clear-groups";
    let outside = ended(Command::new("sh").args(["-c", script])).1;
    assert!(outside.starts_with("sent\n143\nrefused\n137\n"), "{outside}");
    assert_eq!(inside(&empty(), &["sh", "-c", script]), outside);
}

/// With the key of the call sites, a program can have zombies that the host has not. The host gives their numbers to others.
#[test]
fn a_program_that_finds_the_key_deceives_itself_only() {
    let Some(directory) = with_program("key") else { return };
    let found = "key, 50 go on\nmade one, 1: 6, reached 0\n1 lost, 0 collected\n5\n";
    let told = |output: &(i32, String, String)| (output.0, output.1.clone());
    let mut command = run(["--engine", "ptrace", "--timeout", "60s", "--", "./key", "100"]);
    let plain = told(&ended(command.current_dir(&directory)));
    if plain == (7, "no key\n".into()) {
        return skipped!("call sites have no key here: it takes Landlock");
    }
    assert_eq!(plain, (7, found.into()));
    if !user::is_root() {
        return skipped!("only root has the host give numbers again and again");
    }
    // In a namespace of the kernel's, whose last number somebody always sets back.
    let script = "(while echo 300 >/proc/sys/kernel/ns_last_pid; do :; done) &\n\
        \"$0\" run --engine ptrace --timeout 60s -- ./key 500\n";
    let mut command = run(["--engine", "kernel", "--timeout", "90s", "--"]);
    command.args(["sh", "-c", script, BUILT]).current_dir(&directory);
    assert_eq!(told(&ended(&mut command)), (7, found.into()));
}

/// Set-user-ID bits do nothing under a promise of no new privileges (`PR_SET_NO_NEW_PRIVS`), which an unprivileged job has
/// to make.
#[test]
fn a_setuid_program_loses_its_privilege() {
    let Some(id) = find("id").filter(|_| user::is_root()) else { return };
    let directory = user::Reachable::new();
    let (id, pidns) = (directory.copy(&id), directory.copy(Path::new(BUILT)));
    fs::set_permissions(&id, fs::Permissions::from_mode(0o4755)).unwrap();
    if ended(user::as_nobody(&id).arg("-u")).1 != "0\n" {
        return skipped!("set-user-ID bits have no effect here");
    }
    let mut command = user::as_nobody(&pidns);
    let (code, stdout, _) =
        ended(command.args(["run", "--engine", "ptrace", "--"]).arg(&id).arg("-u"));
    assert_eq!((code, stdout), (0, format!("{}\n", user::NOBODY)));
}

#[test]
fn all_the_same_behind_a_container_s_filter_without_privilege() {
    place::again_behind_a_container_s_filter("all_the_same", &[BUILT.as_ref()]);
}
