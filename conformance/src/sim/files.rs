//! Descriptors of namespaces and pidfds, and the calls on them.

use super::SimWorld;
use super::cast::Doing;
use crate::answer::{self, Info};
use crate::script::call::Request;
use crate::script::verb::Verb;
use pidns_core::{
    Errno, ExitStatus, NsId, Pid, PidId, PidfdEvent, PidfdState, Root, TaskId, TaskState,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const EBADF: i32 = 9;
const EINVAL: i32 = 22;
const ENOTTY: i32 = 25;
const NEWPID: i32 = 0x2000_0000;
const NEWUTS: i32 = 0x0400_0000;

/// A descriptor table.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    table: BTreeMap<i32, File>,
}

/// What a descriptor names.
#[derive(Clone, Debug)]
pub(super) enum File {
    /// A PID namespace.
    Ns(NsId),
    /// Another kind of namespace.
    Uts,
    /// A process or thread.
    Pidfd {
        pid: PidId,
        nonblocking: bool,
        /// The namespaces in which it has, or had, a number.
        spaces: Rc<[NsId]>,
    },
}

impl SimWorld {
    /// Installs a descriptor in place of an older one.
    pub(super) fn install(&mut self, slot: usize, fd: i32, file: File) {
        if let File::Ns(ns) = file {
            let _ = self.set.get_ns(ns);
        }
        let old = self.cast.actor(slot).files.borrow_mut().table.insert(fd, file);
        self.let_go(old);
    }

    fn let_go(&mut self, file: Option<File>) {
        if let Some(File::Ns(ns)) = file {
            let _ = self.set.release_ns(ns, &mut self.effects);
        }
    }

    /// Copies a table for a new process.
    pub(super) fn copy_files(&mut self, files: &Rc<RefCell<Files>>) -> Rc<RefCell<Files>> {
        let copy = files.borrow().clone();
        for file in copy.table.values() {
            if let File::Ns(ns) = file {
                let _ = self.set.get_ns(*ns);
            }
        }
        Rc::new(RefCell::new(copy))
    }

    /// An actor is leaving: if nobody shares its table, all is closed.
    pub(super) fn close_files(&mut self, slot: usize, doing: Doing) {
        self.cast.actor_mut(slot).doing = doing;
        let files = std::mem::take(&mut self.cast.actor_mut(slot).files);
        if let Some(files) = Rc::into_inner(files) {
            for (_, file) in files.into_inner().table {
                self.let_go(Some(file));
            }
        }
    }

    /// Gives an actor another table; the old one is closed if nobody shares it.
    pub(super) fn replace_files(&mut self, slot: usize, files: Rc<RefCell<Files>>) {
        let doing = self.cast.actor(slot).doing.clone();
        self.close_files(slot, doing);
        self.cast.actor_mut(slot).files = files;
    }

    fn file(&self, slot: usize, fd: i32) -> Result<File, i32> {
        self.cast.actor(slot).files.borrow().table.get(&fd).cloned().ok_or(EBADF)
    }

    /// Makes a pidfd.
    pub(super) fn pidfd_of(&self, pid: PidId, nonblocking: bool) -> File {
        let spaces = self.set.numbers(pid).map(|number| number.ns).collect();
        File::Pidfd { pid, nonblocking, spaces }
    }

    /// Says whether the process of a pidfd has, or had, a number where the actor lives. The model forgets those it released.
    pub(super) fn is_visible(&self, slot: usize, fd: i32) -> Result<bool, i32> {
        let here = self.set.ns_of(self.task(slot)).map_err(Errno::raw)?;
        match self.file(slot, fd)? {
            File::Pidfd { spaces, .. } => Ok(spaces.contains(&here)),
            _ => Err(EBADF),
        }
    }

    /// Returns the process of a pidfd, and whether it does not block.
    pub(super) fn pidfd(&self, slot: usize, fd: i32) -> Result<(PidId, bool), i32> {
        match self.file(slot, fd)? {
            File::Pidfd { pid, nonblocking, .. } => Ok((pid, nonblocking)),
            _ => Err(EBADF),
        }
    }

    fn namespace(&self, slot: usize, fd: i32) -> Result<NsId, i32> {
        match self.file(slot, fd)? {
            File::Ns(ns) => Ok(ns),
            File::Uts => Err(EINVAL),
            File::Pidfd { .. } => Err(ENOTTY),
        }
    }

    /// Makes a call on descriptors whose result is a number.
    pub(super) fn file_call(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        match r.verb {
            Verb::Setns => self.setns(slot, r.int32(0), r.int32(1)),
            Verb::OpenNs => self.open_link(slot, r),
            Verb::Close => {
                let file = self.cast.actor(slot).files.borrow_mut().table.remove(&r.int32(0));
                let closed = file.as_ref().map(|_| 0).ok_or(EBADF);
                self.let_go(file);
                closed
            }
            Verb::PidfdOpen => self.pidfd_open(slot, r),
            Verb::PidfdNs => self.pidfd_ns(slot, r),
            Verb::NsType => self.namespace(slot, r.int32(0)).map(|_| NEWPID.into()),
            Verb::NsParent => {
                let ns = self.namespace(slot, r.int32(1))?;
                let parent = self.set.ns_parent(self.task(slot), ns).map_err(Errno::raw)?;
                self.install(slot, r.int32(0), File::Ns(parent));
                Ok(0)
            }
            Verb::NsIoctl => self.other_ioctl(slot, r),
            _ => self.translate(slot, r),
        }
    }

    fn setns(&mut self, slot: usize, fd: i32, kind: i32) -> Result<i64, i32> {
        let task = self.task(slot);
        let entered = match self.file(slot, fd)? {
            File::Uts if kind == 0 || kind == NEWUTS => Ok(()),
            File::Ns(ns) if kind == 0 || kind == NEWPID => {
                self.set.setns(task, ns, &Root, &mut self.effects)
            }
            File::Pidfd { pid, .. } if kind == NEWPID => {
                self.set.setns_pidfd(task, pid, &Root, &mut self.effects)
            }
            _ => Err(Errno::EINVAL),
        };
        entered.map(|()| 0).map_err(Errno::raw)
    }

    /// Opens a link in /proc/PID/ns, where PID is a number of the top namespace, whose procfs it is.
    fn open_link(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        const ENOENT: i32 = 2;
        let target = match r.int32(1) {
            0 => self.task(slot),
            number => self.shown_in_proc(number).ok_or(ENOENT)?,
        };
        let file = match r.int(2) {
            0 => File::Ns(self.set.ns_of(target).map_err(Errno::raw)?),
            1 => File::Ns(self.set.open_ns_for_children(target).map_err(Errno::raw)?),
            _ => File::Uts,
        };
        self.install(slot, r.int32(0), file);
        Ok(0)
    }

    fn shown_in_proc(&self, number: i32) -> Option<TaskId> {
        let top = self.set.ns_of(self.task(0)).ok()?;
        self.set.find_task(top, Pid::from_raw(number)?)
    }

    fn pidfd_open(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        const NONBLOCK: i64 = 0x800;
        const THREAD: i64 = 0x80;
        let flags = r.int(2);
        if flags & !(NONBLOCK | THREAD) != 0 {
            return Err(EINVAL);
        }
        let task = self.task(slot);
        let pid = match self.set.pidfd_open(task, r.int32(1)) {
            // The model knows pidfds of processes only; of a thread the embedder can have one by itself.
            Err(Errno::ENOENT) if flags & THREAD != 0 => {
                let ns = self.set.ns_of(task).map_err(Errno::raw)?;
                let number = Pid::from_raw(r.int32(1)).ok_or(EINVAL)?;
                self.set.find_pid(ns, number).ok_or(Errno::ESRCH.raw())?
            }
            other => other.map_err(Errno::raw)?,
        };
        let file = self.pidfd_of(pid, flags & NONBLOCK != 0);
        self.install(slot, r.int32(0), file);
        Ok(0)
    }

    fn pidfd_ns(&mut self, slot: usize, r: &Request) -> Result<i64, i32> {
        let File::Pidfd { pid, .. } = self.file(slot, r.int32(1))? else {
            return Err(ENOTTY);
        };
        if r.int(3) != 0 {
            return Err(EINVAL);
        }
        let target = self.set.pidfd_task(pid).ok_or(Errno::ESRCH.raw())?;
        if self.set.state(target) != Ok(TaskState::Live) {
            return Err(Errno::ESRCH.raw());
        }
        let file = match r.int(2) {
            0 => File::Ns(self.set.ns_of(target).map_err(Errno::raw)?),
            1 => File::Ns(self.set.ns_for_children(target).map_err(Errno::raw)?),
            _ => File::Uts,
        };
        self.install(slot, r.int32(0), file);
        Ok(0)
    }

    fn other_ioctl(&self, slot: usize, r: &Request) -> Result<i64, i32> {
        const OWNER_UID: i64 = 4;
        self.namespace(slot, r.int32(0))?;
        // The owner's id can be asked of user namespaces only; other requests are not known.
        Err(if r.int(1) == OWNER_UID { EINVAL } else { ENOTTY })
    }

    fn translate(&self, slot: usize, r: &Request) -> Result<i64, i32> {
        let there = self.namespace(slot, r.int32(0))?;
        let here = self.set.ns_of(self.task(slot)).map_err(Errno::raw)?;
        let number = r.int32(1);
        let answer = match r.verb {
            Verb::NsPidFrom => self.set.translate(there, number, here),
            Verb::NsTgidFrom => self.set.translate_tgid(there, number, here),
            Verb::NsPidIn => self.set.translate(here, number, there),
            _ => self.set.translate_tgid(here, number, there),
        };
        answer.map(|pid| pid.raw().into()).map_err(Errno::raw)
    }

    /// Whether two descriptors name one thing.
    pub(super) fn same(&self, slot: usize, left: i32, right: i32) -> Result<bool, i32> {
        let serial =
            |fd| self.namespace(slot, fd).and_then(|ns| self.set.ns_serial(ns).map_err(Errno::raw));
        Ok(serial(left)? == serial(right)?)
    }

    /// poll of a pidfd.
    pub(super) fn poll(&self, slot: usize, fd: i32) -> Result<i16, i32> {
        let File::Pidfd { pid, .. } = self.file(slot, fd)? else {
            return Ok(1); // like any file that does not know poll
        };
        Ok(match self.set.pidfd_poll(pid) {
            PidfdState::Running => 0,
            PidfdState::Exited => 1,
            PidfdState::Reaped => 0x11,
        })
    }

    /// The ioctl `PIDFD_GET_INFO`; of a process that was reaped only the status is left, if it was asked for.
    pub(super) fn info(&self, slot: usize, fd: i32, mask: i64) -> Result<Info, i32> {
        const EXIT: i64 = 8;
        let File::Pidfd { pid, .. } = self.file(slot, fd)? else {
            return Err(ENOTTY);
        };
        match self.set.pidfd_info(self.task(slot), pid) {
            Ok(info) => {
                let numbers = (
                    info.pid.raw() as u32,
                    info.tgid.raw() as u32,
                    Pid::raw_or_zero(info.ppid) as u32,
                );
                Ok(Info { numbers: Some(numbers), exit: None })
            }
            Err(Errno::ESRCH) if !self.is_visible(slot, fd)? => Err(Errno::EREMOTE.raw()),
            Err(Errno::ESRCH) if mask & EXIT != 0 => {
                let status = self.ends.get(&pid).map(|status: &ExitStatus| status.raw());
                Ok(Info { numbers: None, exit: status })
            }
            Err(errno) => Err(errno.raw()),
        }
    }

    /// Keeps the status that a pidfd can be asked for after the process was reaped.
    pub(super) fn note_pidfd(&mut self, pid: PidId, event: PidfdEvent) {
        if let PidfdEvent::Reaped(status) = event {
            self.ends.insert(pid, status);
        }
    }

    /// Writes what poll says.
    pub(super) fn poll_text(&self, slot: usize, fd: i32) -> String {
        answer::polled(self.poll(slot, fd))
    }
}
