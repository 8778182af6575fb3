//! `cargo test` and `cargo nextest run` with pidns around the tests.

use std::process::Command;

use super::support::{Daemon, Limited, Scratch, command, file, find, skip, text};

/// A crate with one test that is tidy and one that leaves a daemon behind.
fn project(daemon: &Daemon) -> Scratch {
    let project = Scratch::new();
    project.write(
        "Cargo.toml",
        "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    let leave = file("leave-daemon.sh");
    project.write(
        "src/lib.rs",
        format!(
            "#[test]\nfn tidy() {{}}\n\n#[test]\nfn leaky() {{\n    \
             let status = std::process::Command::new(\"sh\").arg({leave:?}).arg({:?}).status();\n    \
             assert!(status.unwrap().success());\n}}\n",
            daemon.seconds()
        ),
    );
    project
}

fn cargo(project: &Scratch, arguments: &[&str]) -> Command {
    let mut cargo = command(env!("CARGO"));
    cargo.args(arguments).arg("--offline").current_dir(project.path());
    cargo.env("CARGO_TARGET_DIR", project.join("target")).env_remove("RUSTFLAGS");
    cargo
}

/// The variable for this machine, such as `CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER`.
fn runner_variable() -> String {
    let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"))
}

#[test]
fn a_runner_makes_cargo_test_fail_for_what_is_left_behind() {
    let daemon = Daemon::new();
    let project = project(&daemon);

    let plain = cargo(&project, &["test", "--lib"]).end();
    assert_eq!(plain.code(), Some(0), "{plain:?}");
    daemon.wait_until_up();
    drop(daemon);

    let daemon = Daemon::new();
    let project = self::project(&daemon);
    let runner = (runner_variable(), "pidns run --leaks fail --");
    let guarded = cargo(&project, &["test", "--lib"]).env(runner.0, runner.1).end();
    daemon.assert_gone();
    assert_eq!(guarded.code(), Some(123), "{guarded:?}");
    assert!(guarded.stdout.contains("2 passed"), "{guarded:?}");
    assert!(guarded.stderr.contains("1 process was left behind"), "{guarded:?}");
    assert!(daemon.is_listed(&guarded.stderr), "{guarded:?}");
}

#[test]
fn the_runner_of_the_configuration_file_is_taken() {
    let daemon = Daemon::new();
    let project = project(&daemon);
    project.write(".cargo/config.toml", text("cargo-config.toml"));
    let tidy = cargo(&project, &["test", "--lib", "tidy"]).end();
    assert!(tidy.stdout.contains("1 passed"), "{tidy:?}");
    assert_eq!(tidy.code(), Some(0), "{tidy:?}");
    let leaky = cargo(&project, &["test", "--lib", "leaky"]).end();
    daemon.assert_gone();
    assert_eq!(leaky.code(), Some(123), "{leaky:?}");
}

#[test]
fn nextest_says_which_test_left_a_process_behind() {
    if find("cargo-nextest").is_none() {
        skip!("cargo-nextest is not installed");
    }
    let daemon = Daemon::new();
    let project = project(&daemon);
    let arguments = ["nextest", "run", "--no-fail-fast", "--color=never"];

    let plain = cargo(&project, &arguments).end();
    assert_eq!(
        plain.code(),
        Some(0),
        "nextest sees no leak, as nothing holds the output: {plain:?}"
    );
    daemon.wait_until_up();
    drop(daemon);

    let daemon = Daemon::new();
    let project = self::project(&daemon);
    project.write(".config/nextest.toml", text("nextest.toml"));
    let guarded = cargo(&project, &arguments).end();
    daemon.assert_gone();
    assert_eq!(guarded.code(), Some(100), "{guarded:?}");
    assert!(guarded.stderr.contains("1 passed, 1 failed"), "{guarded:?}");
    assert!(guarded.stderr.contains("sample leaky"), "{guarded:?}");
    assert!(guarded.stderr.contains("(test failed with exit code 123)"), "{guarded:?}");
}

#[test]
fn a_test_that_nextest_ends_for_being_slow_leaves_nothing() {
    if find("cargo-nextest").is_none() {
        skip!("cargo-nextest is not installed");
    }
    let daemon = Daemon::new();
    let project = project(&daemon);
    let leaky = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
    let slow = leaky.replace("success());", "success());\n    loop { std::thread::park() }");
    assert_ne!(slow, leaky);
    project.write("src/lib.rs", slow);
    let limit = "\n[profile.default]\nslow-timeout = { period = \"500ms\", terminate-after = 1 }\n";
    project.write(".config/nextest.toml", text("nextest.toml") + limit);
    let slow = cargo(&project, &["nextest", "run", "--color=never", "leaky"]).end();
    daemon.wait_until_gone();
    assert_eq!(slow.code(), Some(100), "{slow:?}");
    assert!(slow.stderr.contains("1 timed out"), "{slow:?}");
}
