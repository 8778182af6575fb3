//! Locks between the tracer and the threads of the caller.
//!
//! The tracer is a process of its own, which somebody may kill while it holds a lock: that is never let go of then. So the
//! caller's threads do not wait for one ([`lock_soon`]). They in turn end with the caller as a whole, and the tracer with
//! them.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

/// In the tracer: waits for the lock.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody panics while holding one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the caller: the lock, unless it is held for longer than any living tracer does.
pub(super) fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    const TRIES: usize = 1000;
    (0..TRIES).find_map(|_| match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => {
            thread::yield_now();
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_never_let_go_of_is_not_waited_for() {
        let mutex = Mutex::new(1);
        let held = lock(&mutex);
        assert!(thread::scope(|scope| scope.spawn(|| lock_soon(&mutex).is_none()).join()).unwrap());
        drop(held);
        assert_eq!(lock_soon(&mutex).map(|guard| *guard), Some(1));
    }
}
