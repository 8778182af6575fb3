//! jobctl: stopping and continuing a process, and what becomes of stopped jobs that nobody is left to continue.
//!
//! A group stop is one step here; the time in which the threads of a process come to rest one by one is the
//! embedder's. Neighbours: `deliver.rs` stops, `send.rs` continues, `exit.rs` and `reparent.rs` orphan.

use crate::effect::Effect;
use crate::errno::Result;
use crate::id::{GroupId, GroupIx, PidIx, TaskIx};
use crate::send::{Scope, Source};
use crate::set::{Delivery, Sink, TaskSet};
use crate::signal::{SigCode, SigInfo, Signal};
use crate::task::{GroupFlags, TaskState};

impl<G, T> TaskSet<G, T> {
    /// Stops every thread of a process and tells its parent. // WAI-08
    pub(crate) fn stop(&mut self, group: GroupIx, signal: Signal, sink: Sink<'_, G, T>) {
        sink.emit(Effect::Stop { group: self.group_id(group), signal });
        self.mark_stopped(group, signal, sink);
    }

    fn mark_stopped(&mut self, group: GroupIx, signal: Signal, sink: Sink<'_, G, T>) {
        let entry = &mut self.groups[group];
        entry.stopped = Some(signal);
        entry.flags = (entry.flags | GroupFlags::STOP_REPORT) - GroupFlags::CONT_REPORT;
        self.recount(group);
        self.notify_change(group, (SigCode::STOPPED, signal.raw()), sink);
    }

    /// Continues a stopped process and tells its parent; a process that runs is left alone. // SIG-05
    pub(crate) fn resume(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        if self.groups[group].stopped.is_none() {
            return;
        }
        self.mark_continued(group, sink);
        sink.emit(Effect::Continue { group: self.group_id(group) });
        if self.config.delivery == Delivery::Simulated {
            self.notify_pending(group, sink);
        }
    }

    fn mark_continued(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let entry = &mut self.groups[group];
        entry.stopped = None;
        entry.flags = (entry.flags | GroupFlags::CONT_REPORT) - GroupFlags::STOP_REPORT;
        self.recount(group);
        self.notify_change(group, (SigCode::CONTINUED, Signal::CONT.raw()), sink);
    }

    /// Takes note that a host kernel stopped a process. With [`Delivery::Host`] only.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn note_stopped(
        &mut self,
        group: GroupId,
        signal: Signal,
        sink: Sink<'_, G, T>,
    ) -> Result<()> {
        let group = self.group_ix(group)?;
        if !self.groups[group].has(GroupFlags::ENDING) {
            self.mark_stopped(group, signal, sink);
        }
        Ok(())
    }

    /// Takes note that a host kernel continued a process.
    ///
    /// # Errors
    /// `ESRCH` if the group was released.
    pub fn note_continued(&mut self, group: GroupId, sink: Sink<'_, G, T>) -> Result<()> {
        let group = self.group_ix(group)?;
        if self.groups[group].stopped.is_some() {
            self.mark_continued(group, sink);
        }
        Ok(())
    }

    /// A dying process does not stay stopped, and nobody is told that it continued. // SIG-17
    pub(crate) fn unstop_for_death(&mut self, group: GroupIx) {
        let entry = &mut self.groups[group];
        entry.stopped = None;
        entry.flags -= GroupFlags::STOP_REPORT | GroupFlags::CONT_REPORT;
        self.recount(group);
    }

    /// Tells the parent of a stop or continuation (kernel: `do_notify_parent_cldstop`).
    fn notify_change(&mut self, group: GroupIx, what: (SigCode, i32), sink: Sink<'_, G, T>) {
        let Some(parent) = self.groups[group].parent else {
            return;
        };
        let to = self.group_of(parent);
        if !self.groups[to].has(GroupFlags::NOCLDSTOP) && !self.groups[to].ignored.has(Signal::CHLD)
        {
            self.send_child_signal(parent, group, Signal::CHLD, what, sink);
        }
        self.wake_waiters(parent, sink);
    }

    /// The last thread of a process exits: that may orphan its own process group, if it was the connection to its
    /// parent's (kernel: `kill_orphaned_pgrp` with no parent). // REP-11
    pub(crate) fn check_orphaned_by_exit(&mut self, group: GroupIx, sink: Sink<'_, G, T>) {
        let entry = &self.groups[group];
        if let Some(parent) = entry.parent {
            self.check_orphaned_pgrp(entry.pgrp, entry.session, parent, Some(group), sink);
        }
    }

    /// A child lost its parent: that may orphan the child's process group. // REP-11
    pub(crate) fn check_orphaned_by_reparent(
        &mut self,
        child: GroupIx,
        father: TaskIx,
        sink: Sink<'_, G, T>,
    ) {
        let entry = &self.groups[child];
        self.check_orphaned_pgrp(entry.pgrp, entry.session, father, None, sink);
    }

    /// If `through` connected the process group to its session from outside, and nobody does so now, and somebody in it
    /// is stopped, every member gets SIGHUP and SIGCONT.
    fn check_orphaned_pgrp(
        &mut self,
        pgrp: PidIx,
        session: PidIx,
        through: TaskIx,
        ignoring: Option<GroupIx>,
        sink: Sink<'_, G, T>,
    ) {
        let connector = &self.groups[self.group_of(through)];
        let connected = connector.pgrp != pgrp && connector.session == session;
        let stopped = |group: GroupIx| self.groups[group].stopped.is_some();
        if !connected
            || !self.is_orphaned_pgrp(pgrp, ignoring)
            || !self.pgrp_members(pgrp).any(stopped)
        {
            return;
        }
        self.signal_pgrp_from_kernel(pgrp, Signal::HUP, sink);
        self.signal_pgrp_from_kernel(pgrp, Signal::CONT, sink);
    }

    fn signal_pgrp_from_kernel(&mut self, pgrp: PidIx, signal: Signal, sink: Sink<'_, G, T>) {
        let mut at = self.pids[pgrp].pgrp;
        while let Some(group) = at {
            let leader = self.groups[group].leader;
            self.send_or_lose(
                leader,
                Scope::Process,
                SigInfo::kernel(signal),
                Source::Kernel,
                sink,
            );
            at = self.member_after(pgrp, group);
        }
    }

    /// Says whether no member's parent is in another group of the same session (kernel:
    /// `will_become_orphaned_pgrp`). The root init does not count as such a parent, an inner init does. // REP-11
    pub(crate) fn is_orphaned_pgrp(&self, pgrp: PidIx, ignoring: Option<GroupIx>) -> bool {
        !self.pgrp_members(pgrp).any(|member| {
            let entry = &self.groups[member];
            let gone = entry.count == 1 && self.tasks[entry.leader].state == TaskState::Zombie;
            let Some(parent) = entry.parent.map(|parent| self.group_of(parent)) else {
                return false;
            };
            if Some(member) == ignoring || gone || self.is_global_init(parent) {
                return false;
            }
            self.groups[parent].pgrp != pgrp && self.groups[parent].session == entry.session
        })
    }
}
