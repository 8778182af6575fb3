//! /proc by path in the ptrace engine: whichever way a path takes, the numbers are those of the inside, and that paths are
//! looked at is not to be noticed.
#![cfg(target_arch = "x86_64")]

#[path = "ptrace_support/mod.rs"]
mod support;

use pidns_testkit::{place, user};
use support::{has, output_of, python};

#[test]
fn relative_paths_lead_into_proc() {
    // `read` is the shell's own: number 2.
    let show = "read n rest <$0; echo $n";
    for (directory, path) in [
        ("/", "proc/self/stat"),
        ("/", "./proc//self/stat"),
        ("/usr", "../proc/self/stat"),
        ("/proc", "self/stat"),
        ("/proc/self", "stat"),
        ("/proc/self/task", "../stat"),
        ("/proc/1/..", "2/stat"),
    ] {
        let show = show.replace("$0", path);
        assert_eq!(output_of(&format!("cd {directory}; {show}")), "2\n", "{directory} {path}");
    }
}

#[test]
fn one_who_has_been_in_proc_and_left_is_as_before() {
    assert_eq!(
        output_of("cd /proc; cd /usr; test -d bin && read n rest </proc/self/stat; echo $n"),
        "2\n"
    );
}

#[test]
fn a_walk_by_descriptors_from_the_root_sees_the_inside_only() {
    if !has("find") {
        return;
    }
    for walk in [
        "find / -maxdepth 2 -path '/proc/[0-9]*'",
        "cd /; find . -maxdepth 2 -path './proc/[0-9]*'",
    ] {
        let output = output_of(&format!("({walk}) 2>/dev/null | sed 's,.*/,,' | sort -n"));
        let numbers: Vec<u32> = output.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers[..2], [1, 2], "{output}");
        assert!(numbers.iter().all(|number| *number < 10), "{output}");
    }
}

/// A timer's handler that ends the calls which it interrupts (no `SA_RESTART`), and calls without Python's own repetition.
const STORM: &str = "\
import ctypes, errno, os, signal
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
failed = set()
def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0:
        failed.add((name, args[0], errno.errorcode[ctypes.get_errno()]))
    return result
";

#[test]
fn a_signal_does_not_end_a_call_that_cannot_wait() {
    let script = format!(
        "{STORM}\
buffer = ctypes.create_string_buffer(4096)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(1000):
    for path in (b'/etc/passwd', b'/proc/self/stat', b'/proc/meminfo', b'/proc'):
        libc.close(call('open', path, 0))
        call('access', path, 0)
    length = call('readlink', b'/proc/self', buffer, 100)
    if length >= 0 and buffer.raw[:length] != b'2':
        failed.add(buffer.raw[:length])
signal.setitimer(signal.ITIMER_REAL, 0)
print(failed)
"
    );
    if let Some(output) = python(&script) {
        assert_eq!(output, "set()\n");
    }
}

#[test]
fn a_signal_ends_a_call_that_waits() {
    let script = format!(
        "{STORM}\
path = ('/tmp/pidns-fifo-%d-' % {}).encode() + os.urandom(4).hex().encode()
os.mkfifo(path)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
call('open', path, 0)
os.unlink(path)
print([error for _, _, error in failed])
",
        std::process::id()
    );
    if let Some(output) = python(&script) {
        assert_eq!(output, "['EINTR']\n");
    }
}

#[test]
fn a_program_that_hides_its_memory_sees_the_inside() {
    let script = "import ctypes, os\n\
                  ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n\
                  print(os.readlink('/proc/self'), open('/proc/self/stat').read().split()[0], open('/proc/1/comm').read())";
    if let Some(output) = python(script) {
        assert!(output.starts_with("2 2 pidns-init"), "{output}");
    }
}

#[test]
fn all_the_same_without_privilege() {
    user::again_as_nobody("all_the_same", &[]);
}

#[test]
fn all_the_same_behind_a_container_s_filter_without_privilege() {
    place::again_behind_a_container_s_filter("all_the_same", &[]);
}
