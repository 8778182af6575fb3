//! Waiting awake, for what takes but a moment: to wake a cpu that has just gone idle takes longer than that.
//!
//! [`Awake`] looks again and again for a while, and gives way to others between two looks. Where others want the cpu that
//! is a bad bargain, as who gives way goes to the end of the queue (sched_yield(2)): there it lets its user sleep at once.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// How long to stay awake, and whether that pays.
#[derive(Debug)]
pub struct Awake {
    span: Duration,
    /// Waits to go before the next that is awake.
    rest: u32,
}

/// Away for longer than this, somebody else has had the cpu.
const CROWDED: Duration = Duration::from_micros(200);
/// Waits without looking, where others want the cpu.
const REST: u32 = 256;

impl Awake {
    /// To stay awake for `span` in each wait.
    pub const fn new(span: Duration) -> Self {
        Self { span, rest: 0 }
    }

    /// Calls `look` until it finds something; `None` if it is better to sleep now.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn until<T>(&mut self, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        if self.rest > 0 {
            self.rest -= 1;
            return look();
        }
        let start = Instant::now();
        let mut before = start;
        loop {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            thread::yield_now();
            let now = Instant::now();
            if now - before > CROWDED {
                self.rest = REST;
                return look();
            }
            if now - start >= self.span {
                return Ok(None);
            }
            before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_soon_is_found() {
        let mut looks = 0;
        let found = Awake::new(Duration::from_secs(60)).until(|| {
            looks += 1;
            Ok((looks == 2).then_some("it"))
        });
        assert_eq!(found, Ok(Some("it")));
    }

    #[test]
    fn what_does_not_come_is_slept_for() {
        let mut awake = Awake::new(Duration::from_micros(1));
        assert_eq!(awake.until(|| Ok(None::<()>)), Ok(None));
    }

    #[test]
    fn where_others_want_the_cpu_it_looks_once() {
        let mut awake = Awake { span: Duration::from_secs(60), rest: 1 };
        let mut looks = 0;
        let mut look = || {
            looks += 1;
            Ok(None::<()>)
        };
        assert_eq!(awake.until(&mut look), Ok(None));
        assert_eq!(looks, 1);
    }
}
