//! Whom to listen to first.
//!
//! A wait for anybody looks through the tracees until it finds one that has something to tell, which takes the longer the
//! more there are. Those that have just stopped or begun are the likeliest to stop next, and to look at one costs the same
//! however many there are. So of many tasks these are looked at first, and all now and then, or when those are silent.

use std::time::Duration;

use pidns_sys::Errno;
use pidns_sys::awake::Awake;
use pidns_sys::ptrace::{self, Event, Tid, Wait};

/// The tasks that were heard of last.
#[derive(Debug)]
pub(super) struct Recent {
    tids: [Option<Tid>; COUNT],
    /// Events of these since all were looked at.
    told: usize,
    awake: Awake,
}

const COUNT: usize = 4;
/// How long the next event is awaited awake: most tasks need less to their next stop.
const AWAKE: Duration = Duration::from_micros(50);
/// Of more tasks than these, the recent ones are looked at first.
const FEW: usize = 64;
/// All are looked at once in as many events as an eighth of their number: one at a time, each event costs the same.
const SHARE: usize = 8;

impl Recent {
    pub(super) const fn new() -> Self {
        Self { tids: [None; COUNT], told: 0, awake: Awake::new(AWAKE) }
    }

    /// Something was heard of this task.
    pub(super) fn note(&mut self, tid: Tid) {
        let at = self.tids.iter().position(|recent| *recent == Some(tid)).unwrap_or(COUNT - 1);
        self.tids[..=at].rotate_right(1);
        self.tids[0] = Some(tid);
    }

    /// Waits for the next event of any task, of which there are `count`. Before it sleeps, it does what `rest` does.
    ///
    /// # Errors
    /// As with [`ptrace::next_event`].
    pub(super) fn next_event(
        &mut self,
        count: usize,
        rest: impl FnOnce(),
    ) -> Result<Option<(Tid, Event)>, Errno> {
        let many = count > FEW;
        if many && self.told >= count / SHARE {
            self.told = 0;
            if let Some(found) = ptrace::next_event(Wait::Poll)? {
                return Ok(Some(found));
            }
        }
        let tids = self.tids;
        let look = || if many { Ok(look(tids)) } else { ptrace::next_event(Wait::Poll) };
        if let Some(found) = self.awake.until(look)? {
            self.told += 1;
            return Ok(Some(found));
        }
        self.told = 0;
        rest();
        ptrace::next_event(Wait::Block)
    }
}

/// Looks at these only.
fn look(tids: [Option<Tid>; COUNT]) -> Option<(Tid, Event)> {
    // One that has been collected is no tracee any more.
    let event = |tid: Tid| Some((tid, ptrace::event_of(tid, Wait::Poll).ok()??));
    tids.into_iter().flatten().find_map(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_first_and_nobody_is_there_twice() {
        let mut recent = Recent::new();
        for number in [1, 2, 3, 2, 4, 5, 2] {
            recent.note(Tid::new(number).unwrap());
        }
        assert_eq!(recent.tids.map(|tid| tid.unwrap().number()), [2, 5, 4, 3]);
    }
}
