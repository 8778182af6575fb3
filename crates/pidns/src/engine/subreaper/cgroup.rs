//! The caller's own cgroup, in which the job may have one of its own: cgroups(7), "cgroups v2".

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pidns_sys::fd;

use crate::stdio::HIGH_FLOOR;

/// Its directory. `None` where there is no such thing; whether something may be made in it, only a try can tell.
pub(super) fn own() -> Option<OwnedFd> {
    let mount = mount()?;
    let path = own_path(&fs::read_to_string("/proc/self/cgroup").ok()?, mount)?;
    fd::at_or_above(File::open(path).ok()?.into(), HIGH_FLOOR).ok()
}

/// Where the hierarchy can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// What of it is mounted.
    root: PathBuf,
    point: PathBuf,
}

/// It is not mounted anew while a program runs.
fn mount() -> Option<&'static Mount> {
    static MOUNT: OnceLock<Option<Mount>> = OnceLock::new();
    let find = || find_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?);
    MOUNT.get_or_init(find).as_ref()
}

/// Finds it in the text of a proc_pid_mountinfo(5).
fn find_mount(mounts: &str) -> Option<Mount> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        if !after.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        Some(Mount { root: root.into(), point: point.into() })
    })
}

/// Where the cgroup is that the text of a /proc/self/cgroup names: cgroups(7), "/proc files".
fn own_path(cgroups: &str, mount: &Mount) -> Option<PathBuf> {
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Outside of what is mounted, or of the cgroup namespace, there is no way to it.
    let below = Path::new(own).strip_prefix(&mount.root).ok()?;
    (!own.starts_with("/..")).then(|| mount.point.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
24 1 0:22 / /proc rw,nosuid - proc proc rw
31 24 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
41 24 0:38 /pod /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw
";

    #[test]
    fn the_way_to_the_own_cgroup_is_found() {
        let mount = find_mount(MOUNTS).unwrap();
        assert_eq!(mount, Mount { root: "/pod".into(), point: "/sys/fs/cgroup/unified".into() });
        let path = |own: &str| own_path(&format!("3:cpu:/x\n0::{own}\n"), &mount);
        assert_eq!(path("/pod/job"), Some("/sys/fs/cgroup/unified/job".into()));
        assert_eq!(path("/pod"), Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!(path("/other"), None);
        let whole = Mount { root: "/".into(), point: "/sys/fs/cgroup".into() };
        assert_eq!(own_path("0::/../outside\n", &whole), None);
        assert_eq!(own_path("3:cpu:/x\n", &whole), None);
        assert_eq!(find_mount("31 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"), None);
    }
}
