//! `pidns-conformance`: see `pidns-conformance help`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    pidns_conformance::cli::main()
}
