//! A systemd unit: systemd itself reads it; its command is run without systemd.

use super::support::{Daemon, Limited, Scratch, command, file, find, pidns, skip, text};

/// The command of the unit.
fn exec_start(unit: &str) -> Vec<&str> {
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
    line.expect("a service starts something").split(' ').collect()
}

#[test]
fn systemd_understands_the_unit() {
    if find("systemd-analyze").is_none() {
        skip!("systemd-analyze is not installed");
    }
    let directory = Scratch::new();
    // It looks whether the program is there, too.
    let unit = text("job.service").replace("/usr/bin/pidns", pidns().to_str().unwrap());
    let unit = directory.write("job.service", unit);
    let verify = command("systemd-analyze").args(["verify", "--man=no"]).arg(unit).end();
    assert_eq!(verify.code(), Some(0), "{verify:?}");
    assert!(!verify.stderr.contains("job.service"), "{verify:?}");
}

#[test]
fn the_command_of_the_unit_fails_if_the_job_leaves_a_process_behind() {
    let unit = text("job.service");
    let words = exec_start(&unit);
    let (job, pidns_and_options) = words.split_last().unwrap();
    assert_eq!((pidns_and_options[0], *job), ("/usr/bin/pidns", "/usr/local/bin/backup"));
    let daemon = Daemon::new();
    let mut service = command(pidns());
    service.args(&pidns_and_options[1..]).arg("sh").arg(file("leave-daemon.sh"));
    let ended = service.arg(daemon.seconds()).end();
    daemon.assert_gone();
    assert_eq!(ended.code(), Some(123), "{ended:?}");
}
