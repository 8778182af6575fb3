//! The files of /proc that hold numbers of tasks, made from the host's files and the process table.
//! See proc_pid_status(5), proc_pid_stat(5), proc_pid_task(5).

use std::fmt::Write as _;
use std::fs;

use pidns_core::{NsId, Pid, PidId, TaskId};
use pidns_sys::Errno;
use pidns_sys::ptrace::Tid;

use super::place::{Place, Spot};
use crate::engine::ptrace::call::{Entry, errno};
use crate::engine::ptrace::session;
use crate::engine::ptrace::task::Phase;
use crate::engine::ptrace::tracer::Tracer;

/// The text of the file, if it is one of these.
///
/// # Errors
/// Those of reading the host's file.
pub(in super::super) fn text(
    tracer: &Tracer,
    entry: &Entry,
    place: &Place,
) -> Result<Option<Vec<u8>>, Errno> {
    let viewer = Viewer { tracer, id: entry.id, ns: tracer.set.ns_of(entry.id).map_err(errno)? };
    match place {
        Place::Global(name) => viewer.global(name).map(Some),
        Place::Task(spot) => viewer.of_task(spot),
        _ => Ok(None),
    }
}

/// Who looks.
struct Viewer<'a> {
    tracer: &'a Tracer,
    id: TaskId,
    ns: NsId,
}

impl Viewer<'_> {
    fn global(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let set = &self.tracer.set;
        Ok(match name {
            "loadavg" => {
                let text = read("/proc/loadavg")?;
                let last = set.ns_last_pid(self.id).map_err(errno)?;
                let front = text.trim_end().rsplit_once(' ').map_or("", |(front, _)| front);
                format!("{front} {last}\n")
            }
            "locks" => self.locks(&read("/proc/locks")?),
            "sysvipc/msg" | "sysvipc/sem" | "sysvipc/shm" => {
                self.ipc(&read(&format!("/proc/{name}"))?)
            }
            "sys/kernel/ns_last_pid" => format!("{}\n", set.ns_last_pid(self.id).map_err(errno)?),
            "sys/kernel/pid_max" => format!("{}\n", set.pid_max(self.id).map_err(errno)?),
            // The process for Ctrl-Alt-Del is the machine's. // SYS-04
            _ => "0\n".to_owned(),
        }
        .into_bytes())
    }

    fn of_task(&self, spot: &Spot) -> Result<Option<Vec<u8>>, Errno> {
        let name = match spot.rest.as_slice() {
            [name] => name,
            [directory, fd] if directory == b"fdinfo" => return self.descriptor(spot, fd),
            _ => return Ok(None),
        };
        let file = match spot.thread {
            Some(thread) => format!("/proc/{}/task/{thread}/", spot.process),
            None => format!("/proc/{}/", spot.process),
        };
        let text = |name: &str| read(&(file.clone() + name));
        Ok(Some(
            match name.as_slice() {
                b"status" => self.status(spot, &text("status")?),
                b"stat" => self.stat(spot, &text("stat")?),
                b"children" if spot.thread.is_some() => self.children(spot),
                b"sched" => self.sched(spot, &text("sched")?),
                _ => return Ok(None),
            }
            .into_bytes(),
        ))
    }

    /// What is known of a descriptor: of a pidfd, its process's numbers; of a file, who holds locks.
    fn descriptor(&self, spot: &Spot, fd: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        let fd = String::from_utf8_lossy(fd);
        let host = read(&format!("/proc/{}/fdinfo/{fd}", spot.process))?;
        let mut out = String::with_capacity(host.len());
        for line in host.lines() {
            let number = || line.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
            match (line.split_once(':').map_or("", |(name, _)| name), number()) {
                ("Pid", Some(host @ 1..)) => {
                    let _ = writeln!(out, "Pid:\t{}", self.tracer.number_of(self.id, host));
                }
                ("NSpid", Some(host @ 1..)) => {
                    let task = Tid::new(host).and_then(|tid| self.tracer.known(tid));
                    let pid = task.and_then(|task| self.tracer.set.tid(task).ok());
                    let _ = writeln!(out, "NSpid:\t{}", self.numbers(pid));
                }
                ("lock", _) => out.push_str(&self.locks(line)),
                _ => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        Ok(Some(out.into_bytes()))
    }

    /// Lines of locks: the holder is the word after the kind of access. See proc_locks(5).
    fn locks(&self, host: &str) -> String {
        let mut out = String::with_capacity(host.len());
        for line in host.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let after_access =
                |at: usize| at > 0 && ["READ", "WRITE", "RW"].contains(&words[at - 1]);
            let shown = words.iter().enumerate().map(|(at, word)| match word.parse() {
                Ok(host @ 1..) if after_access(at) => {
                    self.tracer.number_of(self.id, host).to_string()
                }
                _ => (*word).to_owned(),
            });
            let _ = writeln!(out, "{}", shown.collect::<Vec<String>>().join(" "));
        }
        out
    }

    /// Tables whose columns `cpid`, `lpid`, `lspid` and `lrpid` are numbers. See sysvipc(7).
    fn ipc(&self, host: &str) -> String {
        let mut lines = host.lines();
        let Some(header) = lines.next() else { return String::new() };
        let names: Vec<&str> = header.split_ascii_whitespace().collect();
        let mut out = format!("{header}\n");
        for line in lines {
            let words = line.split_ascii_whitespace().enumerate().map(|(at, word)| {
                let is_number = names.get(at).is_some_and(|name| name.ends_with("pid"));
                match word.parse() {
                    Ok(host) if is_number => self.tracer.number_of(self.id, host).to_string(),
                    _ => word.to_owned(),
                }
            });
            let words: Vec<String> = words.collect();
            let _ = writeln!(out, "{:>10}", words.join(" "));
        }
        out
    }

    fn status(&self, spot: &Spot, host: &str) -> String {
        let mut out = String::with_capacity(host.len() + 64);
        for line in host.lines() {
            let name = line.split_once(':').map_or("", |(name, _)| name);
            let set = &self.tracer.set;
            let group = set.group(spot.task).ok();
            let role = |found: Option<PidId>| self.numbers(found);
            let value = match name {
                "Tgid" => self.number(group.and_then(|group| set.tgid(group).ok())).to_string(),
                "Pid" => self.number(set.tid(spot.task).ok()).to_string(),
                "PPid" => self.parent(spot.task).to_string(),
                "TracerPid" => "0".to_owned(),
                "NStgid" => role(group.and_then(|group| set.tgid(group).ok())),
                "NSpid" => role(set.tid(spot.task).ok()),
                "NSpgid" => role(group.and_then(|group| set.pgrp(group).ok())),
                "NSsid" => role(group.and_then(|group| set.session(group).ok())),
                "State" => match self.state(spot) {
                    Some(state) => state_text(state).to_owned(),
                    None => line.split_once('\t').map_or("", |(_, value)| value).to_owned(),
                },
                _ => {
                    out.push_str(line);
                    out.push('\n');
                    continue;
                }
            };
            let _ = writeln!(out, "{name}:\t{value}");
        }
        out
    }

    /// Fields: pid (comm) state ppid pgrp session tty_nr tpgid ..., see proc_pid_stat(5).
    fn stat(&self, spot: &Spot, host: &str) -> String {
        let Some((front, fields)) = host.rsplit_once(") ") else { return String::new() };
        let comm = front.split_once(" (").map_or("", |(_, comm)| comm);
        let fields: Vec<&str> = fields.split(' ').collect();
        let set = &self.tracer.set;
        let group = set.group(spot.task).ok();
        let pgrp = self.number(group.and_then(|group| set.pgrp(group).ok()));
        let sid = self.number(group.and_then(|group| set.session(group).ok()));
        let tpgid = match fields.get(5).and_then(|field| field.parse().ok()) {
            Some(host @ 1..) => session::visible_group(self.tracer, self.id, host),
            _ => -1,
        };
        let pid = self.number(set.tid(spot.task).ok());
        let ppid = self.parent(spot.task);
        let state = match (self.state(spot), fields.first()) {
            (Some(state), _) => state.to_string(),
            (None, Some(state)) => (*state).to_owned(),
            (None, None) => "?".to_owned(),
        };
        let tty = fields.get(4).copied().unwrap_or("0");
        let rest = fields.get(6..).unwrap_or_default().join(" ");
        format!("{pid} ({comm}) {state} {ppid} {pgrp} {sid} {tty} {tpgid} {rest}")
    }

    fn children(&self, spot: &Spot) -> String {
        let set = &self.tracer.set;
        set.child_groups(spot.task)
            .map(|child| self.number(set.tgid(child).ok()))
            .filter(|number| *number != 0)
            .fold(String::new(), |out, number| out + &number.to_string() + " ")
    }

    /// The first line has the number: `name (number, #threads: n)`.
    fn sched(&self, spot: &Spot, host: &str) -> String {
        let number = self.number(self.tracer.set.tid(spot.task).ok());
        let Some((first, rest)) = host.split_once('\n') else { return String::new() };
        let (Some((name, _)), Some((_, threads))) =
            (first.rsplit_once(" ("), first.rsplit_once(", "))
        else {
            return host.to_owned();
        };
        format!("{name} ({number}, {threads}\n{rest}")
    }

    fn number(&self, pid: Option<PidId>) -> i32 {
        Pid::raw_or_zero(pid.and_then(|pid| self.tracer.set.number(pid, self.ns)))
    }

    fn parent(&self, task: TaskId) -> i32 {
        let set = &self.tracer.set;
        let parent = set.parent(task).ok().flatten();
        let group = parent.and_then(|parent| set.group(parent).ok());
        self.number(group.and_then(|group| set.tgid(group).ok()))
    }

    /// All numbers from the viewer's namespace inwards; 0 if it has none there.
    fn numbers(&self, pid: Option<PidId>) -> String {
        let set = &self.tracer.set;
        let (Some(pid), Ok(level)) = (pid, set.ns_level(self.ns)) else { return "0".to_owned() };
        if set.number(pid, self.ns).is_none() {
            return "0".to_owned();
        }
        let mut numbers: Vec<String> = set
            .numbers(pid)
            .filter(|upid| set.ns_level(upid.ns).is_ok_and(|own| own >= level))
            .map(|upid| upid.nr.raw().to_string())
            .collect();
        numbers.reverse();
        numbers.join("\t")
    }

    /// The state, where being traced shows: a stop for the tracer lasts a moment, or stands for something else.
    fn state(&self, spot: &Spot) -> Option<char> {
        let host = spot.thread.unwrap_or(spot.process);
        let task = self.tracer.tasks.get(&host)?;
        if task.listening {
            return Some('T');
        }
        match task.phase {
            Phase::Held(_) => Some('S'),
            _ if task.id == self.id => Some('R'),
            _ => None,
        }
    }
}

fn state_text(state: char) -> &'static str {
    match state {
        'T' => "T (stopped)",
        'S' => "S (sleeping)",
        _ => "R (running)",
    }
}

fn read(path: &str) -> Result<String, Errno> {
    // Names of programs may be any bytes.
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}
