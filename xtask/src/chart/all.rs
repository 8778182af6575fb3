//! The charts that README shows, by the names of the lines that `pidns-benches` prints.

use super::{Bar, Chart, Group};

pub(super) fn charts() -> [Chart; 3] {
    [launch(), teardown(), work()]
}

fn launch() -> Chart {
    let others = [
        ("no_launcher", "no launcher"),
        ("limit", "the limit: clone3, exec, wait"),
        ("pidns_no_proc", "pidns run --no-proc"),
        ("pidns", "pidns run"),
        ("pidns_dynamic", "pidns run, dynamic, with glibc"),
        ("unshare", "unshare --pid --fork"),
        ("unshare_proc", "unshare --pid --fork --mount-proc"),
        ("bwrap", "bwrap --unshare-pid --proc /proc"),
        ("tini", "tini -s (no namespace)"),
        ("catatonit", "catatonit (no namespace)"),
        ("dumb_init", "dumb-init (no namespace)"),
    ];
    let own = [
        ("limit_again", "the limit, again"),
        ("pidns_as_init", "pidns run --as-init"),
        ("pidns_auto", "pidns run --engine auto"),
        ("pidns_kernel", "pidns run --engine kernel"),
        ("pidns_subreaper", "pidns run --engine subreaper"),
        ("pidns_ptrace", "pidns run --engine ptrace"),
    ];
    Chart {
        file: "launch.svg",
        title: "A command that does nothing, from start to end: median",
        groups: vec![
            group("Beside others", "launch.", "_us", &others),
            group("The engines, in a second series", "launch.", "_us", &own),
        ],
        longest: f64::INFINITY,
    }
}

/// bwrap is not here: it returns before its namespace has gone.
fn teardown() -> Chart {
    let launchers = [
        ("pidns_kernel", "pidns run --engine kernel"),
        ("pidns_ptrace", "pidns run --engine ptrace"),
        ("pidns_subreaper", "pidns run --engine subreaper"),
        ("unshare", "unshare --pid --fork --kill-child"),
    ];
    Chart {
        file: "teardown.svg",
        title: "From a command's end to the launcher's, with processes left behind: median",
        groups: vec![
            group("1 process", "teardown.", "_1_us", &launchers),
            group("100 processes", "teardown.", "_100_us", &launchers),
        ],
        longest: f64::INFINITY,
    }
}

fn work() -> Chart {
    let works = [
        ("ptrace.python_", "python3 -c \"import json, subprocess\""),
        ("ptrace.find_", "find /usr"),
        ("ptrace.make_j2_", "make -j2 of 60 small C files"),
        ("ptrace.configure_", "a configure script: 60 times expr, sed, tr and subshells"),
        ("ptrace.spawn_", "posix_spawn of /bin/true"),
    ];
    let tools = [
        ("native", "no launcher"),
        ("pidns_kernel", "pidns run --engine kernel"),
        ("pidns", "pidns run --engine ptrace"),
        ("strace", "strace -f --seccomp-bpf, of the same calls"),
        ("strace_process", "strace -f --seccomp-bpf -e trace=process"),
        ("proot", "proot"),
        ("runsc", "runsc --platform=ptrace"),
    ];
    Chart {
        file: "work.svg",
        title: "Work inside, beside the same without a launcher: median",
        groups: works.map(|(prefix, title)| group(title, prefix, "_ratio", &tools)).into(),
        longest: 10.0,
    }
}

fn group(title: &'static str, prefix: &str, suffix: &str, bars: &[(&str, &'static str)]) -> Group {
    let bar = |(name, label): &(&str, &'static str)| Bar {
        line: format!("{prefix}{name}{suffix}"),
        label,
    };
    Group { title, bars: bars.iter().map(bar).collect() }
}
