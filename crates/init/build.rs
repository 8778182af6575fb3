//! Compiles the freestanding program, which the library then carries as `pidns_init::IMAGE`.
//!
//! The compiler is called directly and not as cargo would: always optimised, always by the same options, for a program
//! without std, libc or panic, whatever profile, `RUSTFLAGS` or wrapper the library is built with.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const ROOT: &str = "src/freestanding.rs";
const LAYOUT: &str = "src/freestanding.ld";

/// Small, in one piece, at a fixed address, without tables for unwinding.
const CODEGEN: [&str; 8] = [
    "panic=abort",
    "opt-level=z",
    "lto=fat",
    "codegen-units=1",
    "relocation-model=static",
    "force-unwind-tables=no",
    "strip=symbols",
    "overflow-checks=off",
];

/// For the linker itself.
const LINK: [&str; 5] =
    ["-static", "--build-id=none", "-znorelro", "-znoexecstack", "--no-eh-frame-hdr"];

/// For a C compiler that calls the linker.
const LINK_BY_CC: [&str; 3] = ["-nostartfiles", "-nostdlib", "-no-pie"];

fn main() {
    for path in ["build.rs", ROOT, LAYOUT, "src/protocol.rs", "src/program"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let image = PathBuf::from(variable("OUT_DIR")).join("pidns-init");
    let mut compiler = compiler(&image);
    let problem = match compiler.status() {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    eprintln!("cannot compile {ROOT}: {problem}: {compiler:?}");
    exit(1);
}

fn compiler(image: &Path) -> Command {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let mut layout = OsString::from("-T");
    layout.push(root.join(LAYOUT));
    let mut command = Command::new(variable("RUSTC"));
    command.args(["--edition=2024", "--crate-name=pidns_init", "--crate-type=bin", "--target"]);
    command.arg(variable("TARGET")).arg("-o").arg(image).arg(root.join(ROOT));
    for option in CODEGEN {
        command.args(["-C", option]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        command.arg("-C").arg(option("linker=", linker));
    }
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        // The compiler would bring start files and a libc of its own.
        command.args(["-C", "link-self-contained=no"]);
    }
    let direct = is_direct_linker();
    if !direct {
        command.args(LINK_BY_CC.map(|argument| format!("-Clink-arg={argument}")));
    }
    let prefix = if direct { "link-arg=" } else { "link-arg=-Wl," };
    for argument in LINK.into_iter().map(OsString::from).chain([layout]) {
        command.arg("-C").arg(option(prefix, argument));
    }
    command
}

fn option(prefix: &str, value: OsString) -> OsString {
    let mut option = OsString::from(prefix);
    option.push(value);
    option
}

/// Whether the configured linker is one, and not a C compiler that calls one.
fn is_direct_linker() -> bool {
    let linker = PathBuf::from(env::var_os("RUSTC_LINKER").unwrap_or_default());
    let name = linker.file_stem().unwrap_or_default().to_string_lossy();
    ["ld", "lld", "rust-lld", "mold", "wild"].iter().any(|known| {
        name.strip_suffix(known)
            .is_some_and(|before| before.is_empty() || before.ends_with(['-', '.']))
    })
}

fn variable(name: &str) -> OsString {
    env::var_os(name).expect("cargo sets it for build scripts")
}
