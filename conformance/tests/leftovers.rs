//! Whatever happens to the director, nothing it started stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Host numbers of the processes that run `program`.
fn running(program: &Path) -> Vec<String> {
    let all = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let runs =
        |process: &PathBuf| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program);
    all.map(|entry| entry.path()).filter(runs).map(|path| path.display().to_string()).collect()
}

/// Waits for a condition, at most ten seconds.
fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn killing_the_director_at_any_moment_leaves_nothing() {
    // A program of its own, to tell its processes from those of other tests.
    let program =
        std::env::temp_dir().join(format!("pidns-conformance-leftovers-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_pidns-conformance"), &program).unwrap();
    for round in 0..8 {
        let seed = (1000 * round).to_string();
        let mut director = Command::new(&program)
            .args(["generate", "--count", "1000000", "--seed", &seed])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The director, and more than the holders of the stage.
        let plays =
            eventually(|| running(&program).len() > 5 || director.try_wait().unwrap().is_some());
        if director.try_wait().unwrap().is_some() {
            println!("skipped: no PID namespace can be made here");
            break;
        }
        director.kill().unwrap();
        director.wait().unwrap();
        assert!(plays, "no actor appeared");
        assert!(
            eventually(|| running(&program).is_empty()),
            "left behind: {:?}",
            running(&program)
        );
    }
    fs::remove_file(&program).unwrap();
}
