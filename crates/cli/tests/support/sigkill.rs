//! SIGKILL of the supervisor at any moment.

use std::process::Stdio;
use std::time::{Duration, Instant};

use pidns_testkit::Mark;

use super::run;

/// Within the first ten milliseconds, a job goes from its launch to its end.
const MOMENTS: Duration = Duration::from_millis(10);

/// Would stay, each in its own way.
pub(crate) const STAY: &str = "setsid sleep 300 & (setsid sleep 300 &); sleep 300 & kill -STOP $!; echo ready; exec sleep 300";

/// Kills `pidns run` with `options` `rounds` times, at one moment after the other.
#[track_caller]
pub(crate) fn killed_at_any_moment(rounds: u64, options: &[&str]) {
    let mark = Mark::new();
    let (key, value) = mark.env();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    for round in 0..rounds {
        let mut command = run([]);
        command.args(options).args(["--", "sh", "-c", STAY]).env(key, value);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = MOMENTS.mul_f64((random >> 40) as f64 / f64::from(1 << 24));
        let start = Instant::now();
        while start.elapsed() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // They may not pile up.
        if round % 20 == 19 {
            mark.wait_gone();
        }
    }
    mark.wait_gone();
}
