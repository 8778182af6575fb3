//! A line of a crontab, run as cron does: by `/bin/sh -c`, with little in its environment.

use super::support::{Daemon, Limited, Scratch, command, file, text};

#[test]
fn the_line_runs_its_job_and_leaves_nothing() {
    let crontab = text("crontab");
    let line = crontab.lines().find(|line| !line.starts_with('#')).unwrap();
    let job = line.splitn(6, ' ').last().unwrap();
    // crontab(5): an unescaped percent sign would end the command.
    assert!(job.starts_with("pidns ") && !job.contains('%'), "{job}");

    let (home, daemon) = (Scratch::new(), Daemon::new());
    let program =
        format!("#!/bin/sh\necho done\nsh {:?} {}\n", file("leave-daemon.sh"), daemon.seconds());
    pidns_testkit::program::write(&home.write("bin/synchronise", ""), &program, 0o755);

    let mut shell = command("/bin/sh");
    let path =
        shell.get_envs().find_map(|(name, value)| (name == "PATH").then_some(value?.to_owned()));
    shell.env_clear().env("PATH", path.unwrap()).env("HOME", home.path()).env("SHELL", "/bin/sh");
    let ended = shell.args(["-c", job]).current_dir(home.path()).end();
    daemon.assert_gone();
    assert_eq!((ended.code(), ended.stdout.as_str()), (Some(0), "done\n"), "{ended:?}");
    // cron sends by mail what a job writes.
    assert!(ended.stderr.contains("1 process was left behind"), "{ended:?}");
}
