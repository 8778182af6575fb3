//! `cargo xtask conformance`: the cases on the host kernel, on the model, and on the ptrace engine where the kernel gives
//! no PID namespaces: switched off, behind a container's filter, and in a container.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{bench, sh};

/// What the container has.
const PROGRAMS: [&str; 2] = ["pidns", "pidns-conformance"];

/// No network, and no limits that this user could not set.
const CONFIGURATION: &str = "[containers]\nnetns = \"none\"\n\
    default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
    [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";

/// Does what `words` say; without any, plays all cases in all worlds.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    sh::run(&mut sh::cargo("build --quiet --release -p pidns-cli -p pidns-conformance"))?;
    if !words.is_empty() {
        return sh::run(program("pidns-conformance").args(words));
    }
    let pidns = built("pidns");
    sh::run(program("pidns-conformance").args(["run", "--pidns"]).arg(pidns))?;
    match Container::new()? {
        Ok(container) => container.play(),
        Err(why) => {
            println!("skipped: the ptrace engine in a container: {why}");
            Ok(())
        }
    }
}

fn built(name: &str) -> PathBuf {
    bench::target().join("release").join(name)
}

fn program(name: &str) -> Command {
    let mut program = Command::new(built(name));
    program.current_dir(sh::root());
    program
}

/// Podman, and a root directory with nothing but the programs and their libraries.
struct Container(PathBuf);

impl Container {
    /// Says why not, where no container can run.
    fn new() -> Result<Result<Self, String>> {
        let container = Self(bench::target().join("conformance-container"));
        container.remove();
        container.fill()?;
        match container.run(&["/bin/pidns", "--version"]).output() {
            Ok(output) if output.status.success() => Ok(Ok(container)),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                Ok(Err(format!("podman runs none: {}", why.trim())))
            }
            Err(error) => Ok(Err(format!("no podman: {error}"))),
        }
    }

    fn fill(&self) -> Result<()> {
        let root = self.root();
        for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            fs::create_dir_all(root.join(directory))?;
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        fs::write(self.0.join("containers.conf"), CONFIGURATION)?;
        for name in PROGRAMS {
            fs::copy(built(name), root.join("bin").join(name)).context(name)?;
            for library in libraries(&built(name))? {
                let copy = root.join(library.strip_prefix("/").unwrap_or(&library));
                fs::create_dir_all(copy.parent().unwrap_or(&root))?;
                fs::copy(&library, copy).with_context(|| library.display().to_string())?;
            }
        }
        Ok(())
    }

    fn root(&self) -> PathBuf {
        self.0.join("rootfs")
    }

    /// Runs `words` as an ordinary user with no capability, behind podman's own filter.
    fn run(&self, words: &[&str]) -> Command {
        let mut podman = Command::new("podman");
        podman.env("CONTAINERS_CONF", self.0.join("containers.conf"));
        for (option, directory) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            podman.arg(option).arg(self.0.join(directory));
        }
        podman.args(["--storage-driver=vfs", "run", "--rm", "--cap-drop=all", "--user=1000:1000"]);
        podman.arg("--rootfs").arg(self.root()).args(words);
        podman
    }

    fn play(&self) -> Result<()> {
        let words = ["/bin/pidns-conformance", "run", "--pidns", "/bin/pidns"];
        sh::run(self.run(&words).args(["--world", "ptrace-container"]))
    }

    fn remove(&self) {
        // There may be none.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The shared libraries of a program; none if it is static.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() || text.is_empty(), "ldd: {text}");
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
