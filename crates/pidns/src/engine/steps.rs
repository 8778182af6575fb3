//! The list of steps between clone and exec, each with the stage that it belongs to.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pidns_init::protocol::{CONTROL_FD, WATCH_FD};
use pidns_sys::launch::{Failure, Namespaces, OnFailure, Step};
use pidns_sys::privilege;

use super::Spec;
use crate::command::{Descriptors, Map, Proc};
use crate::error::{SpawnError, Stage};

/// Steps and, at the same places, their stages.
pub(super) struct Steps<'a> {
    pub(super) list: Vec<(Step<'a>, OnFailure)>,
    pub(super) stages: Vec<Stage>,
    /// The lowest descriptor that nobody has put in place; `None` if the caller's are to pass the exec.
    unused: Option<RawFd>,
    /// Further descriptors for a `pidns-init`, and where they go.
    passed: Vec<(RawFd, RawFd)>,
}

/// The ids that a new user namespace maps: one user, one group.
pub(super) struct IdMaps {
    uid: String,
    gid: String,
}

impl IdMaps {
    /// The caller's ids, kept or turned to 0. See user_namespaces(7), "User and group ID mappings".
    pub(super) fn new(map: Map) -> Self {
        let line = |outside: u32| match map {
            Map::Same => format!("{outside} {outside} 1"),
            Map::Root => format!("0 {outside} 1"),
        };
        Self { uid: line(privilege::effective_uid()), gid: line(privilege::effective_gid()) }
    }
}

impl<'a> Steps<'a> {
    /// No steps yet.
    pub(super) fn none() -> Self {
        Self {
            list: Vec::with_capacity(16),
            stages: Vec::with_capacity(16),
            unused: Some(0),
            passed: Vec::new(),
        }
    }

    /// The steps that set up the new namespaces and the working directory.
    pub(super) fn new(namespaces: Namespaces, spec: &'a Spec, maps: &'a IdMaps) -> Self {
        let mut steps = Self::none();
        if namespaces.contains(Namespaces::USER) {
            // Groups have to be given up before they can be mapped without privilege.
            steps.write(c"/proc/self/setgroups", "deny");
            steps.write(c"/proc/self/uid_map", &maps.uid);
            steps.write(c"/proc/self/gid_map", &maps.gid);
        }
        if namespaces.contains(Namespaces::MOUNT) {
            // Mounts of a namespace that another user namespace owns do not propagate anyway.
            if !namespaces.contains(Namespaces::USER) {
                steps.push(Stage::Mounts, Step::IsolateMounts);
            }
            let on_failure =
                if spec.proc == Proc::Fresh { OnFailure::Fail } else { OnFailure::Skip };
            steps.list.push((Step::MountProc, on_failure));
            steps.stages.push(Stage::Proc);
        }
        steps.directory(spec);
        steps
    }

    /// Enters the working directory.
    pub(super) fn directory(&mut self, spec: &'a Spec) {
        if let Some(directory) = &spec.directory {
            self.push(Stage::Directory, Step::ChangeDirectory(directory));
        }
    }

    /// Puts the descriptors 0, 1 and 2 of the command in place. One that is the caller's own is left as it is: if it is
    /// closed, it may have become the place of something else, which is closed by the exec.
    pub(super) fn stdio(&mut self, spec: &'a Spec) {
        for (to, given) in (0..).zip(&spec.stdio) {
            if let Some(from) = given {
                self.place(from, to);
            }
        }
        self.unused = match spec.descriptors {
            Descriptors::Standard => Some(3),
            Descriptors::All => None,
        };
    }

    /// Lets nothing pass the exec but what is in place, unless all of the caller's is to.
    pub(super) fn close_others(&mut self) {
        if let Some(unused) = self.unused {
            self.push(Stage::Descriptors, Step::CloseOnExecFrom(unused));
        }
    }

    /// Puts the descriptors of a `pidns-init` in place, and lets what waits for the command in `moved` pass the exec.
    pub(super) fn supervision(
        mut self,
        control: &OwnedFd,
        watch: &OwnedFd,
        moved: &[Option<OwnedFd>],
    ) -> Self {
        self.close_others();
        for fd in moved.iter().flatten() {
            self.push(Stage::Descriptors, Step::Keep(fd.as_raw_fd()));
        }
        self.place(control, CONTROL_FD);
        self.place(watch, WATCH_FD);
        for (from, to) in std::mem::take(&mut self.passed) {
            self.push(Stage::Descriptors, Step::Place { from, to });
        }
        self
    }

    /// Gives a `pidns-init` another descriptor, which is at or above
    /// [`HIGH_FLOOR`](crate::stdio::HIGH_FLOOR).
    pub(super) fn pass(&mut self, from: &OwnedFd, to: RawFd) {
        self.passed.push((from.as_raw_fd(), to));
    }

    pub(super) fn push(&mut self, stage: Stage, step: Step<'a>) {
        self.list.push((step, OnFailure::Fail));
        self.stages.push(stage);
    }

    fn write(&mut self, path: &'a CStr, text: &'a str) {
        self.push(Stage::UserMap, Step::Write { path, data: text.as_bytes() });
    }

    fn place(&mut self, from: &OwnedFd, to: RawFd) {
        self.push(Stage::Descriptors, Step::Place { from: from.as_raw_fd(), to });
    }
}

/// The strings of `list`, as exec steps take them.
pub(super) fn as_c_strs(list: &[CString]) -> impl Iterator<Item = &CStr> {
    list.iter().map(CString::as_c_str)
}

/// What went wrong in a launch whose steps belong to `stages`.
pub(super) fn failed(failure: Failure, stages: &[Stage]) -> SpawnError {
    let stage = failure.step.and_then(|step| stages.get(step).copied());
    SpawnError::new(stage.unwrap_or(Stage::Namespace), failure.errno)
}

/// Where `program` may be, in order: as execvp(3) looks, by the command's own PATH.
pub(super) fn candidates(program: &CStr, env: &[CString]) -> Vec<CString> {
    let name = program.to_bytes();
    if name.is_empty() || name.contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = env
        .iter()
        .find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="))
        .unwrap_or(b"/bin:/usr/bin");
    path.split(|byte| *byte == b':')
        .map(|directory| Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name)))
        .filter_map(|path| CString::new(path.into_os_string().into_encoded_bytes()).ok())
        .collect()
}
