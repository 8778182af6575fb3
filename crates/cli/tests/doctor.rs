//! `pidns doctor`, here and in places that other tools make.

mod steer;

use serde_json::Value;
use steer::{as_other_root, have, json, output, pidns, stderr, stdout};

/// What is said of `engine`.
fn of<'a>(doctor: &'a Value, engine: &str) -> &'a Value {
    let engines = doctor["engines"].as_array().expect("a list of engines");
    engines.iter().find(|verdict| verdict["engine"] == engine).expect("the engine is in the list")
}

fn assert_cause(doctor: &Value, engine: &str, state: &str, cause: &str) {
    let verdict = of(doctor, engine);
    assert_eq!(
        (&verdict["state"], &verdict["cause"]),
        (&state.into(), &cause.into()),
        "{doctor:#}"
    );
    assert!(verdict["errno"].as_i64() > Some(0));
}

#[test]
fn the_engine_that_auto_takes_is_the_one_that_a_run_reports() {
    let doctor = json(&output(&mut pidns(&["doctor", "--json"])));
    let run = output(&mut pidns(&["run", "--report", "-", "true"]));
    let report = json(&run);
    assert_eq!(doctor["auto"], report["engine"], "{doctor:#} {report:#}");
    assert_eq!(run.status.code() == Some(0), !doctor["auto"].is_null());
    let works = |engine: &&str| of(&doctor, engine)["state"] != "refused";
    let first = ["kernel", "ptrace", "subreaper"].into_iter().find(works);
    assert_eq!(doctor["auto"].as_str(), first, "the best one that works");
}

#[test]
fn every_engine_is_said_to_work_exactly_where_it_does() {
    let doctor = json(&output(&mut pidns(&["doctor", "--json"])));
    for engine in ["kernel", "ptrace", "subreaper"] {
        let works = of(&doctor, engine)["state"] != "refused";
        let run = output(&mut pidns(&["run", "--engine", engine, "true"]));
        assert_eq!(works, run.status.code() == Some(0), "{engine}: {}", stderr(&run));
    }
}

#[test]
fn people_get_words_and_programs_get_stable_keys() {
    let words = output(&mut pidns(&["doctor"]));
    let text = stdout(&words);
    assert!(text.contains("`pidns run` ") && text.contains("\n  kernel "), "{text}");
    let doctor = json(&output(&mut pidns(&["doctor", "--json"])));
    for key in ["version", "auto", "engines", "facts"] {
        assert!(doctor.get(key).is_some(), "{key}");
    }
    for key in ["engine", "state", "stage", "errno", "error", "cause", "why", "remedies"] {
        assert!(of(&doctor, "ptrace").get(key).is_some(), "{key}");
    }
    for key in ["trials", "clones", "caller", "proc", "sysctls", "host"] {
        assert!(doctor["facts"].get(key).is_some(), "{key}");
    }
}

#[test]
fn a_limit_of_no_pid_namespaces_is_named_with_its_sysctl_and_auto_goes_on() {
    let script = r#"
        echo 0 > /proc/sys/user/max_pid_namespaces || exit 9
        "$PIDNS" doctor --json; "$PIDNS" run -v true >&2; "$PIDNS" run --engine kernel true"#;
    let Some(out) = as_other_root(&[], script) else { return };
    let doctor = json(&out);
    assert_cause(&doctor, "kernel", "refused", "limit-is-zero");
    assert_eq!(of(&doctor, "kernel")["errno"], 28);
    let why = of(&doctor, "kernel")["why"].as_str().expect("a reason");
    assert!(why.contains("user.max_pid_namespaces"), "{why}");
    let how = of(&doctor, "kernel")["remedies"][0]["how"].as_str().expect("a remedy");
    assert!(how.starts_with("sysctl -w user.max_pid_namespaces="), "{how}");
    let traced = of(&doctor, "ptrace")["state"] != "refused";
    assert_eq!(doctor["auto"], if traced { "ptrace" } else { "subreaper" });
    let text = stderr(&out);
    if let Some(engine) = doctor["auto"].as_str() {
        assert!(text.contains(&format!("engine {engine}")), "{text}");
        assert!(text.contains("not engine kernel: cannot create the PID namespace"), "{text}");
    }
    assert_eq!(out.status.code(), Some(125), "the kernel engine alone has to fail: {text}");
}

#[test]
fn no_user_namespaces_are_told_from_no_pid_namespaces() {
    // The inner user has no capabilities, and so needs another user namespace.
    let script = r#"
        echo 0 > /proc/sys/user/max_user_namespaces || exit 9
        exec setpriv --inh-caps=-all --bounding-set=-all "$PIDNS" doctor --json"#;
    if !have("setpriv") {
        return;
    }
    let Some(out) = as_other_root(&[], script) else { return };
    let doctor = json(&out);
    assert_cause(&doctor, "kernel", "refused", "limit-is-zero");
    assert_eq!(of(&doctor, "kernel")["why"], "the sysctl user.max_user_namespaces is 0");
}

#[test]
fn a_covered_proc_is_seen_and_what_covers_it() {
    // A second user namespace makes the cover one that cannot be taken away.
    let script = r#"
        mount --bind /dev/null /proc/version || exit 9
        unshare --user --map-root-user "$PIDNS" doctor --json"#;
    let Some(out) = as_other_root(&["--mount"], script) else { return };
    let doctor = json(&out);
    assert_cause(&doctor, "kernel", "limited", "proc-covered");
    assert_eq!(of(&doctor, "kernel")["stage"], "proc");
    assert_eq!(doctor["facts"]["proc"]["covered"], serde_json::json!(["/proc/version"]));
    assert_eq!(doctor["auto"], "kernel");
}

#[test]
fn a_missing_proc_is_seen() {
    if !have("setpriv") {
        return;
    }
    let script = r#"
        mount -t tmpfs none /proc &&
            exec setpriv --inh-caps=-all --bounding-set=-all "$PIDNS" doctor --json"#;
    let Some(out) = as_other_root(&["--mount"], script) else { return };
    let doctor = json(&out);
    assert_cause(&doctor, "kernel", "refused", "no-proc");
    assert_eq!(of(&doctor, "kernel")["stage"], "usermap");
    assert_eq!(doctor["facts"]["proc"]["mounted"], false);
}

#[test]
fn forbidden_programs_in_memory_are_seen() {
    let script = r#"
        test -e /proc/sys/vm/memfd_noexec || exit 9
        echo 2 > /proc/sys/vm/memfd_noexec || exit 8
        "$PIDNS" run true || exit 7
        mount -t tmpfs none /mnt && cp "$PIDNS" /mnt/pidns || exit 5
        for d in /dev/shm /run /tmp /var/tmp; do mount -t tmpfs -o noexec none $d || exit 6; done
        /mnt/pidns doctor --json"#;
    let Some(out) = as_other_root(&["--pid", "--fork", "--mount-proc"], script) else { return };
    match out.status.code() {
        Some(9) => return println!("skipped: this kernel has no vm.memfd_noexec"),
        Some(8) => return println!("skipped: only the first root may set vm.memfd_noexec"),
        _ => {}
    }
    let doctor = json(&out);
    assert_cause(&doctor, "kernel", "refused", "no-programs-in-memory");
    assert_eq!(of(&doctor, "kernel")["stage"], "image");
}

/// `pidns doctor --json` as user 1000 behind a filter, in a user namespace of bwrap, where a run has to report the same
/// engine. `None`, and a word about it, where that cannot be had.
fn behind(name: &str, filter: &[Instruction]) -> Option<Value> {
    if !have("bwrap") || cfg!(not(target_arch = "x86_64")) {
        println!("skipped: no filter for this machine");
        return None;
    }
    let path = std::env::temp_dir().join(format!("pidns-{name}-{}.bpf", std::process::id()));
    let bytes: Vec<u8> = filter.iter().flat_map(|instruction| instruction.to_bytes()).collect();
    std::fs::write(&path, bytes).expect("the directory for temporary files is writable");
    let script = r#"exec bwrap --dev-bind / / --unshare-user --uid 1000 --gid 1000 --cap-drop ALL --seccomp 9 \
        "$PIDNS" "$@" 9< "$FILTER""#;
    let ask = |args: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, "sh"]).args(args);
        output(command.env("PIDNS", steer::PIDNS).env("FILTER", &path))
    };
    let [doctor, run] = [&["doctor", "--json"][..], &["run", "--report", "-", "true"]].map(ask);
    std::fs::remove_file(&path).expect("it is still there");
    if doctor.stdout.is_empty() {
        println!("skipped: bwrap does not work here: {}", stderr(&doctor));
        return None;
    }
    let doctor = json(&doctor);
    assert_eq!(json(&run)["engine"], doctor["auto"], "{doctor:#} {}", stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    Some(doctor)
}

/// An instruction of a filter as seccomp(2) takes it: code, offsets if true and if false, operand.
struct Instruction(u16, u8, u8, u32);

impl Instruction {
    const NUMBER: Self = Self(0x20, 0, 0, 0);
    const FIRST_ARGUMENT: Self = Self(0x20, 0, 0, 16);
    const ALLOW: Self = Self(0x06, 0, 0, 0x7fff_0000);

    const fn unless(number: u32, skip: u8) -> Self {
        Self(0x15, 0, skip, number)
    }

    const fn unless_any_bit(bits: u32, skip: u8) -> Self {
        Self(0x45, 0, skip, bits)
    }

    const fn fail(errno: u32) -> Self {
        Self(0x06, 0, 0, 0x0005_0000 | errno)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.to_ne_bytes().to_vec();
        bytes.extend([self.1, self.2]);
        bytes.extend(self.3.to_ne_bytes());
        bytes
    }
}

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// What the default filters of containers do to clone3(2), unshare(2), setns(2) and clone(2) with new namespaces.
const LIKE_A_CONTAINER: [Instruction; 11] = [
    Instruction::NUMBER,
    Instruction::unless(435, 1),
    Instruction::fail(ENOSYS),
    Instruction::unless(272, 1),
    Instruction::fail(EPERM),
    Instruction::unless(308, 1),
    Instruction::fail(EPERM),
    Instruction::unless(56, 3),
    Instruction::FIRST_ARGUMENT,
    Instruction::unless_any_bit(0x7e02_0000, 1),
    Instruction::fail(EPERM),
];

#[test]
fn a_filter_like_a_container_s_is_seen() {
    let filter: Vec<_> = LIKE_A_CONTAINER.into_iter().chain([Instruction::ALLOW]).collect();
    let Some(doctor) = behind("container", &filter) else { return };
    assert_cause(&doctor, "kernel", "refused", "seccomp-filter");
    assert_eq!(of(&doctor, "kernel")["stage"], "namespace");
    assert_eq!(doctor["facts"]["caller"]["seccomp"], 2);
    assert_eq!(doctor["facts"]["clones"]["user"]["failed"], EPERM);
    assert_eq!(doctor["auto"], "ptrace");
}

#[test]
fn a_filter_that_refuses_tracing_too_is_seen() {
    let ptrace = [Instruction::NUMBER, Instruction::unless(101, 1), Instruction::fail(EPERM)];
    let filter: Vec<_> =
        LIKE_A_CONTAINER.into_iter().chain(ptrace).chain([Instruction::ALLOW]).collect();
    let Some(doctor) = behind("tracing", &filter) else { return };
    assert_cause(&doctor, "kernel", "refused", "seccomp-filter");
    assert_cause(&doctor, "ptrace", "refused", "seccomp-filter");
    let why = of(&doctor, "ptrace")["why"].as_str().expect("a reason");
    assert!(why.ends_with("refuses ptrace"), "{why}");
    assert_eq!(doctor["auto"], "subreaper");
}

#[test]
fn an_option_that_does_not_exist_is_refused() {
    let out = output(&mut pidns(&["doctor", "--yaml"]));
    assert_eq!(out.status.code(), Some(125));
    assert!(stderr(&out).starts_with("pidns: unexpected argument '--yaml'"), "{}", stderr(&out));
}
