//! `bench ptrace`: what work costs in a namespace of the ptrace engine, beside no namespace, the kernel's, and other tools that
//! stand between programs and the kernel by ptrace.
//!
//! strace takes part twice: stopping for calls of the names that `pidns` looks at too, whatever their arguments, and for
//! those about processes only: of the rows, those that make none but getpid(2), getppid(2) or getuid(2) cost it a filter that
//! lets them pass. `pidns` has to answer the first two, and lets the third pass as well.
//!
//! The work is timed inside, so that starting the tool is not counted: that is what `bench launch` measures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::measure::{self, Contestant};
use crate::tools;

/// Rounds that count.
const ROUNDS: usize = 15;
/// To start 10,000 processes takes its time, which is not measured.
const ZAP_ROUNDS: usize = 5;

/// Measures all rows, or those whose name contains one of the words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let work = compile()?;
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    for row in rows(&work)?.into_iter().filter(|row| wanted(&row.name)) {
        measure_row(&row)?;
    }
    if wanted("zap") {
        zap(&work)?;
    }
    Ok(())
}

/// Work that is timed.
struct Row {
    name: String,
    line: Vec<String>,
    /// How often the work does what one figure is for.
    times: u32,
}

fn rows(work: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, times: u32, line: &[&str]| {
        rows.push(Row {
            name: name.to_owned(),
            line: line.iter().map(|word| (*word).to_owned()).collect(),
            times,
        });
    };
    add("getpid", 200_000, &[work, "getpid", "200000"]);
    add("getppid", 20_000, &[work, "getppid", "20000"]);
    add("getuid", 200_000, &[work, "getuid", "200000"]);
    add("spawn", 200, &[work, "spawn", "200", "/bin/true"]);
    add("threads", 1000, &[work, "threads", "1000"]);
    add("crowd", 4000, &[work, "crowd", "4000"]);
    add("signals", 1000, &[work, "signals", "1000"]);
    add("find", 1, &[work, "spawn", "1", "/usr/bin/find", "/usr", "-name", "nothing"]);
    let script = configure_script()?;
    add("configure", 1, &[work, "spawn", "1", "/bin/sh", &script]);
    let make = make_directory()?;
    let line = format!("cd {make} && make -s clean && make -s -j2");
    if tools::installed("make").is_some() {
        add("make_j2", 1, &[work, "spawn", "1", "/bin/sh", "-c", &line]);
    }
    if let Some(python) = tools::installed("python3") {
        add("python", 10, &[work, "spawn", "10", &python, "-c", "import json, subprocess"]);
    }
    Ok(rows)
}

/// The tools, as command lines to which the work is added; the first is none.
fn tools_by_name() -> Vec<(String, Vec<String>)> {
    let mut all = vec![("native".to_owned(), Vec::new())];
    let mut add = |name: &str, program: &str, options: &str| {
        let words = options.split_ascii_whitespace().map(str::to_owned);
        all.push((name.to_owned(), std::iter::once(program.to_owned()).chain(words).collect()));
    };
    for (name, program) in tools::pidns() {
        add(name, &program, "run --engine ptrace --");
    }
    if let Some((name, program)) = tools::pidns().into_iter().next() {
        add(&format!("{name}_kernel"), &program, "run --engine kernel --");
    }
    let peers = [
        ("proot", "proot", ""),
        ("strace", "strace", &strace("process,%file,%signal,getpid,gettid,getppid")),
        ("strace_process", "strace", &strace("process")),
        ("runsc", "runsc", "--rootless --network=none --platform=ptrace do"),
    ];
    for (name, program, options) in peers {
        if let Some(program) = tools::installed(program) {
            add(name, &program, options);
        }
    }
    all.into_iter()
        .filter(|(name, line)| {
            let line: Vec<String> = line.iter().cloned().chain(["/bin/true".to_owned()]).collect();
            tools::works(name, &line)
        })
        .collect()
}

/// Options with which strace stops for these calls only: those that `pidns` looks at too, or fewer.
fn strace(calls: &str) -> String {
    format!("-f --seccomp-bpf -e trace=%{calls} -o /dev/null")
}

fn measure_row(row: &Row) -> Result<()> {
    let tools = tools_by_name();
    let contestants = tools
        .iter()
        .map(|(name, tool)| {
            let line: Vec<String> = tool.iter().chain(&row.line).cloned().collect();
            let once = move || told(&line).map(Duration::from_nanos);
            Contestant { name: name.clone(), once: Box::new(once) }
        })
        .collect();
    let medians = measure::in_turns(contestants, ROUNDS)?;
    let base = medians[0].1;
    for (name, median) in &medians {
        let name = format!("ptrace.{}_{name}", row.name);
        let each = *median / row.times;
        measure::tell(&format!("{name}_us"), format_args!("{:.2}", each.as_secs_f64() * 1e6), "us");
        measure::tell_ratio(&name, *median, base);
    }
    Ok(())
}

/// The number that a command line prints at its end.
fn told(line: &[String]) -> Result<u64> {
    let output = Command::new(&line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| line[0].clone())?;
    ensure!(output.status.success(), "{line:?}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(|line| line.trim().parse().ok()).context("no number was printed")
}

/// From the end of a command that leaves many processes to the end of `pidns`, by both engines.
fn zap(work: &str) -> Result<()> {
    let Some((_, pidns)) = tools::pidns().into_iter().next() else {
        bail!("there is no pidns to measure: use cargo xtask bench");
    };
    for count in [1000, 10_000] {
        let contestants = ["kernel", "ptrace"]
            .into_iter()
            .map(|engine| {
                let line =
                    [&pidns, "run", "--engine", engine, "--", work, "leave", &format!("{count}")]
                        .map(|word: &str| word.to_owned());
                let once = move || {
                    let end = told(&line)?;
                    Ok(Duration::from_nanos(monotonic().saturating_sub(end)))
                };
                Contestant { name: engine.to_owned(), once: Box::new(once) }
            })
            .collect();
        let medians = measure::in_turns(contestants, ZAP_ROUNDS)?;
        let base = medians[0].1;
        for (name, median) in &medians {
            measure::tell_us(&format!("ptrace.zap_{count}_{name}"), *median);
            measure::tell_ratio(&format!("ptrace.zap_{count}_{name}"), *median, base);
        }
    }
    Ok(())
}

fn monotonic() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().unwrap_or(Path::new(".")).join("pidns-benches-scratch").join("ptrace")
}

fn text(path: &Path) -> String {
    path.to_str().expect("the target directory has a UTF-8 name").to_owned()
}

/// Compiles the program that does the work, as programs are: with the C library.
fn compile() -> Result<String> {
    let directory = directory();
    std::fs::create_dir_all(&directory)?;
    let program = directory.join("work");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/work.c");
    let status = Command::new("cc")
        .args(["-O2", "-pthread", "-o"])
        .args([&program, &source])
        .status()
        .context("cc")?;
    ensure!(status.success(), "cc cannot compile work.c");
    Ok(text(&program))
}

/// A script as `configure` is one: many small programs, pipes and substitutions.
fn configure_script() -> Result<String> {
    let path = directory().join("configure.sh");
    std::fs::write(
        &path,
        "i=0\n\
         while [ $i -lt 60 ]; do\n\
         \x20 i=$(expr $i + 1)\n\
         \x20 name=$(echo \"HAVE_X$i\" | sed 's/X/Y/' | tr 'A-Z' 'a-z')\n\
         \x20 test -f /usr/include/$name.h || result=no\n\
         \x20 (echo \"checking $name... $result\") >/dev/null\n\
         done\n",
    )?;
    Ok(text(&path))
}

/// Sixty small C files and a Makefile.
fn make_directory() -> Result<String> {
    let directory = directory().join("make");
    std::fs::create_dir_all(&directory)?;
    for number in 0..60 {
        let source = format!(
            "#include <stdio.h>\n#include <stdlib.h>\nint f{number}(int x) {{ printf(\"%d\", x); return x * {number}; }}\n"
        );
        std::fs::write(directory.join(format!("f{number}.c")), source)?;
    }
    let makefile = "OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))\n\
                    all: $(OBJECTS)\n\
                    %.o: %.c\n\t@cc -O1 -c $< -o $@\n\
                    clean:\n\t@rm -f *.o\n";
    std::fs::write(directory.join("Makefile"), makefile)?;
    Ok(text(&directory))
}
