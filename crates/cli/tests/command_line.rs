//! What can be said on the command line, and what is answered: `tests/cmd/*.trycmd`.
//!
//! `TRYCMD=overwrite cargo test -p pidns-cli --test command_line` writes down what is answered now.
#![forbid(unsafe_code)]

#[test]
fn answers_are_as_they_are_written_down() {
    trycmd::TestCases::new()
        .env("PIDNS_ENGINE", "kernel")
        .env("PIDNS_LEAKS", "ignore")
        .env("COLUMNS", "100")
        .insert_var("[VERSION]", env!("CARGO_PKG_VERSION"))
        .expect("a version is text")
        .case("tests/cmd/*.trycmd");
}
