//! Finds the facts out: tries, reads, decides nothing.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use pidns_sys::launch::{self, Namespaces};
use pidns_sys::wait::{self, Wanted};
use pidns_sys::{file, privilege, system};
use procfs::process::MountInfo;

use super::facts::{Attempt, Caller, Clones, Facts, Host, Proc, Sysctls, Trials};
use crate::proc_files::{field, number, numbers};
use crate::{Command, Engine, SpawnError, Stage};

impl Facts {
    /// Finds out all that can be found out here. Makes some processes and namespaces, which end at once.
    pub fn collect() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mounts = mounts();
        let caller = caller(&status, &mounts);
        Self {
            trials: trials(),
            clones: clones(caller.sys_admin),
            caller,
            proc: proc(&mounts),
            sysctls: sysctls(),
            host: host(&mounts),
        }
    }
}

fn trials() -> Trials {
    Trials {
        kernel: trial(Engine::Kernel, crate::Proc::Never),
        kernel_with_proc: trial(Engine::Kernel, crate::Proc::Fresh),
        ptrace: trial(Engine::Ptrace, crate::Proc::IfPossible),
        subreaper: trial(Engine::Subreaper, crate::Proc::IfPossible),
    }
}

/// Has an engine start a program that does not exist. One that works does everything, and then does not find it.
fn trial(engine: Engine, proc: crate::Proc) -> Option<SpawnError> {
    let started = Command::new("").engine(engine).proc(proc).env_clear().spawn();
    started.err().filter(|error| error.stage() != Stage::Exec)
}

fn clones(privileged: bool) -> Clones {
    let user = if privileged { Namespaces::empty() } else { Namespaces::USER };
    let pid = user | Namespaces::PID;
    Clones {
        plain: clone(Namespaces::empty()),
        user: if privileged { Attempt::NotMade } else { clone(user) },
        pid: clone(pid),
        mount: clone(pid | Namespaces::MOUNT),
    }
}

/// Makes a child that ends at once.
fn clone(namespaces: Namespaces) -> Attempt {
    match launch::launch(namespaces, &[]) {
        Ok(child) => {
            // Its status says nothing.
            let _ = wait::change_of(&child.pidfd, Wanted::EXITED);
            Attempt::Worked
        }
        Err(failure) => Attempt::Failed(failure.errno.raw_os_error()),
    }
}

fn caller(status: &str, mounts: &[MountInfo]) -> Caller {
    let line = |name| field(status, name).and_then(|value| value.parse().ok());
    let label = fs::read_to_string("/proc/self/attr/current").ok();
    let maps = fs::read_to_string("/proc/self/uid_map").ok();
    Caller {
        uid: privilege::effective_uid(),
        sys_admin: privilege::has_sys_admin().unwrap_or(false),
        setfcap: privilege::has_setfcap().unwrap_or(false),
        no_new_privs: line("NoNewPrivs").map(|value: u32| value != 0),
        seccomp: line("Seccomp"),
        seccomp_filters: line("Seccomp_filters"),
        label: label
            .map(|label| label.trim_matches(['\0', '\n']).to_owned())
            .filter(|label| !label.is_empty()),
        in_chroot: (!mounts.is_empty())
            .then(|| !mounts.iter().any(|mount| mount.mount_point == Path::new("/"))),
        pid_levels: numbers(status).and_then(|numbers| u32::try_from(numbers.len()).ok()),
        in_user_namespace: maps.map(|map| !is_first_map(&map)),
        terminal: io::stdin().is_terminal(),
    }
}

/// Says whether `map` is that of the first user namespace: all ids, unchanged. See user_namespaces(7).
fn is_first_map(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

fn mounts() -> Vec<MountInfo> {
    let mounts = procfs::process::Process::myself().and_then(|process| process.mountinfo());
    mounts.map(|mounts| mounts.0).unwrap_or_default()
}

fn proc(mounts: &[MountInfo]) -> Proc {
    let on_top = mounts.iter().rfind(|mount| mount.mount_point == Path::new("/proc"));
    let own = fs::read_link("/proc/self").ok();
    let mounted = own.is_some();
    let mut covered = BTreeSet::new();
    if on_top.is_some_and(|mount| mount.mount_options.contains_key("ro")) {
        covered.insert("/proc".to_owned());
    }
    covered
        .extend(mounts.iter().filter(|mount| hides(mount)).map(|mount| path(&mount.mount_point)));
    Proc {
        mounted,
        covered: covered.into_iter().collect(),
        own: own == Some(PathBuf::from(process::id().to_string())),
    }
}

/// Says whether a mount hides a part of /proc. What is mounted on a directory that is always empty hides nothing.
fn hides(mount: &MountInfo) -> bool {
    const EMPTY: [&str; 2] = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];
    let point = &mount.mount_point;
    point.starts_with("/proc")
        && point != Path::new("/proc")
        && !EMPTY.iter().any(|empty| point == Path::new(empty))
}

fn sysctls() -> Sysctls {
    let sysctl = |name: &str| number(&format!("/proc/sys/{}", name.replace('.', "/")));
    Sysctls {
        max_user_namespaces: sysctl("user.max_user_namespaces"),
        max_pid_namespaces: sysctl("user.max_pid_namespaces"),
        max_mnt_namespaces: sysctl("user.max_mnt_namespaces"),
        unprivileged_userns_clone: sysctl("kernel.unprivileged_userns_clone"),
        apparmor_restrict_unprivileged_userns: sysctl(
            "kernel.apparmor_restrict_unprivileged_userns",
        ),
        ptrace_scope: sysctl("kernel.yama.ptrace_scope"),
        memfd_noexec: sysctl("vm.memfd_noexec"),
        pid_max: sysctl("kernel.pid_max"),
    }
}

fn host(mounts: &[MountInfo]) -> Host {
    let system = system::name();
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let cgroup = cgroup(mounts);
    Host {
        kernel: system.release,
        machine: system.machine,
        security_modules: modules
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        container: container(),
        cgroup_writable: cgroup.as_deref().is_some_and(|path| file::may_write(path).is_ok()),
        cgroup_kill: cgroup.as_deref().and_then(has_cgroup_kill),
        cgroup: cgroup.as_deref().map(path),
    }
}

/// The directory of the caller's cgroup in the cgroup2 hierarchy. See cgroups(7).
fn cgroup(mounts: &[MountInfo]) -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.iter().find(|mount| mount.fs_type == "cgroup2")?;
    let below = Path::new(own).strip_prefix(&mount.root).ok()?;
    let directory: PathBuf = mount.mount_point.join(below).components().collect();
    directory.is_dir().then_some(directory)
}

/// Says whether the kernel has `cgroup.kill`. The first cgroup has none of its own, those below it have.
fn has_cgroup_kill(directory: &Path) -> Option<bool> {
    let below = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let cgroup = below.chain([directory.to_owned()]).find(|path| path.join("cgroup.type").exists());
    cgroup.map(|path| path.join("cgroup.kill").exists())
}

/// What seems to contain the caller, by the marks that container managers leave.
fn container() -> Option<String> {
    if let Ok(name) = env::var("container")
        && !name.is_empty()
    {
        return Some(name);
    }
    let marks = [
        ("/run/.containerenv", "podman"),
        ("/.dockerenv", "docker"),
        ("/run/host/container-manager", "container"),
    ];
    let mark = marks.iter().find(|(path, _)| Path::new(path).exists());
    let kubernetes = || env::var_os("KUBERNETES_SERVICE_HOST").map(|_| "kubernetes".to_owned());
    mark.map(|(_, name)| (*name).to_owned()).or_else(kubernetes)
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
