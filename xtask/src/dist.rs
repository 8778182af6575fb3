//! `cargo xtask dist`: a tarball and a Debian package with static programs, man pages and completions.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{bench, man, sh};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ARCHITECTURE: &str = "amd64";

/// A file of the distribution: its path below the prefix, its mode and its content.
#[derive(Clone)]
struct File {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

/// Writes `pidns-VERSION-x86_64-linux.tar.gz` and `pidns_VERSION_amd64.deb` into `directory`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let Some(program) = bench::static_program()? else {
        bail!("a distribution needs the static build")
    };
    fs::create_dir_all(directory)?;
    let files = files(&program)?;
    let name = format!("pidns-{VERSION}-x86_64-linux");
    let tarball = directory.join(format!("{name}.tar.gz"));
    fs::write(&tarball, archive(&format!("{name}/"), &files)?)?;
    let package = directory.join(format!("pidns_{VERSION}_{ARCHITECTURE}.deb"));
    fs::write(&package, debian(&files)?)?;
    println!("{}\n{}", tarball.display(), package.display());
    Ok(())
}

fn files(program: &Path) -> Result<Vec<File>> {
    let file = |path: String, mode, content| File { path, mode, content };
    let mut files = vec![
        file("bin/pidns".into(), 0o755, fs::read(program)?),
        file("bin/pidns-init".into(), 0o755, pidns_init::IMAGE.to_vec()),
    ];
    let pages = sh::root().join("target/man");
    man::write(&pages)?;
    for entry in fs::read_dir(pages)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(file(format!("share/man/man1/{name}.gz"), 0o644, gzip(&fs::read(&path)?)?));
    }
    for (shell, path) in [
        (clap_complete::Shell::Bash, "share/bash-completion/completions/pidns"),
        (clap_complete::Shell::Zsh, "share/zsh/site-functions/_pidns"),
        (clap_complete::Shell::Fish, "share/fish/vendor_completions.d/pidns.fish"),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut pidns_cli::args::command(), "pidns", &mut script);
        files.push(file(path.into(), 0o644, script));
    }
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        files.push(file(
            format!("share/doc/pidns/{name}"),
            0o644,
            fs::read(sh::root().join(name))?,
        ));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// A Debian package: deb(5).
fn debian(files: &[File]) -> Result<Vec<u8>> {
    let size: usize = files.iter().map(|file| file.content.len()).sum();
    let control = format!(
        "Package: pidns\nVersion: {VERSION}\nArchitecture: {ARCHITECTURE}\nSection: admin\nPriority: optional\n\
         Installed-Size: {}\nMaintainer: The pidns developers <pidns@localhost>\n\
         Description: run commands so that no process outlives them\n \
         pidns run puts a command in a PID namespace of its own and destroys it with the command.\n \
         pidns-init is a tiny number 1 for containers.\n",
        size.div_ceil(1024)
    );
    let control = File { path: "control".into(), mode: 0o644, content: control.into_bytes() };
    let mut package = ar::Builder::new(Vec::new());
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", archive("./", &[control])?),
        ("data.tar.gz", archive("./usr/", &at_home_in_debian(files))?),
    ];
    for (name, content) in members {
        let mut header = ar::Header::new(name.into(), content.len() as u64);
        header.set_mode(0o100_644);
        package.append(&header, content.as_slice())?;
    }
    package.into_inner().context("a vector takes all")
}

/// Debian's zsh looks for the completions of packages in a directory of its own.
fn at_home_in_debian(files: &[File]) -> Vec<File> {
    let moved = |file: &File| File {
        path: file.path.replace("zsh/site-functions", "zsh/vendor-completions"),
        ..file.clone()
    };
    files.iter().map(moved).collect()
}

/// A compressed tar of `files` below `prefix`, the same for the same content.
fn archive(prefix: &str, files: &[File]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let mut made = std::collections::BTreeSet::new();
    for file in files {
        let path = format!("{prefix}{}", file.path);
        for (end, _) in path.match_indices('/') {
            if made.insert(path[..=end].to_owned()) {
                tar.append_data(
                    &mut header(tar::EntryType::Directory, 0o755, 0),
                    &path[..=end],
                    &[][..],
                )?;
            }
        }
        let mut header = header(tar::EntryType::Regular, file.mode, file.content.len());
        tar.append_data(&mut header, &path, file.content.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{File, debian};

    #[test]
    fn a_package_is_what_dpkg_takes_for_one() {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            println!("skipped: dpkg-deb is not installed");
            return;
        }
        let file = |path: &str, mode| File { path: path.to_owned(), mode, content: b"x".to_vec() };
        let files = [file("bin/pidns", 0o755), file("share/zsh/site-functions/_pidns", 0o644)];
        let path = std::env::temp_dir().join(format!("pidns-{}.deb", std::process::id()));
        std::fs::write(&path, debian(&files).unwrap()).unwrap();
        let said = |option: &str| {
            let output = Command::new("dpkg-deb").arg(option).arg(&path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let (control, content) = (said("--field"), said("--contents"));
        std::fs::remove_file(&path).unwrap();
        assert!(control.contains("Package: pidns\n"), "{control}");
        let has = |mode: &str, path: &str| {
            content.lines().any(|line| line.starts_with(mode) && line.ends_with(path))
        };
        assert!(has("-rwxr-xr-x", " usr/bin/pidns"), "{content}");
        assert!(has("-rw-r--r--", " usr/share/zsh/vendor-completions/_pidns"), "{content}");
    }
}
