//! The process that plays: it reads a request, makes the call and writes the answer, one at a time.
//!
//! A process made by a call goes on in the same loop with its own channel. Only one actor of a case does anything at a time,
//! the others sleep in a system call; so nobody forks while another thread is inside the allocator.
//!
//! [`holder`] keeps the stage for one case after the other, [`make`] has the calls that make actors, [`calls`] the others.

mod calls;
pub mod holder;
mod make;
mod signals;

use crate::script::call::Request;
use pidns_sys::raw;
use pidns_sys::raw::signal::Disposition;
use std::ffi::CString;
use std::sync::OnceLock;

/// What all actors of a process know.
#[derive(Debug)]
struct Setup {
    /// Path of this program.
    program: String,
    /// The far ends of the channels, by slot.
    channels: Vec<i32>,
}

static SETUP: OnceLock<Setup> = OnceLock::new();

fn setup() -> &'static Setup {
    SETUP.get().expect("set by every entry before an actor starts")
}

/// What a call leaves behind.
enum Turn {
    /// The caller's answer.
    Answer(String),
    /// This is the new actor.
    Born {
        /// Its slot.
        slot: usize,
        /// What `CLONE_CHILD_SETTID` stored.
        child_tid: i32,
    },
}

/// One actor.
struct Actor {
    slot: usize,
    child_tid: i32,
}

/// Enters as the new program of the actor in a slot: `actor SLOT CHANNELS`, see [`make::program`].
pub fn continue_after_exec(program: &str, slot: usize, channels: Vec<i32>) -> ! {
    SETUP.get_or_init(|| Setup { program: program.to_owned(), channels });
    forget_runtime_handlers();
    let actor = Actor { slot, child_tid: 0 };
    actor.say_hello("exec");
    actor.serve()
}

/// Undoes what the Rust runtime does to signals at its start: it ignores SIGPIPE and handles SIGSEGV and SIGBUS. That a script
/// ignored one of the three does not outlive exec, therefore.
fn forget_runtime_handlers() {
    const RUNTIME: [i32; 3] = [7, 11, 13];
    for signal in RUNTIME {
        let _ = raw::signal::set_handler(signal, Disposition::Default, 0);
    }
}

impl Actor {
    /// Serves for ever.
    fn serve(mut self) -> ! {
        let mut buffer = [0u8; raw::channel::MAX_MESSAGE];
        loop {
            let request = self.next(&mut buffer);
            match calls::perform(&self, &request) {
                Turn::Answer(text) => self.say(&text),
                Turn::Born { slot, child_tid } => {
                    self = Self { slot, child_tid };
                    let _ = raw::signal::take_caught();
                    self.say_hello("hello");
                }
            }
        }
    }

    fn channel(&self) -> i32 {
        setup().channels.get(self.slot).copied().unwrap_or(-1)
    }

    /// Waits for the next request. A director that is gone ends the actor.
    fn next(&self, buffer: &mut [u8]) -> Request {
        loop {
            match raw::channel::read_far(self.channel(), buffer) {
                Ok(0) => raw::clone::exit_group(0),
                Ok(len) => match std::str::from_utf8(&buffer[..len]).ok().and_then(Request::decode)
                {
                    Some(request) => return request,
                    None => self.say("unreadable request"),
                },
                Err(errno) if errno.0 == EINTR => {}
                Err(_) => raw::clone::exit_group(0),
            }
        }
    }

    fn say(&self, text: &str) {
        if raw::channel::write_far(self.channel(), text).is_err() {
            raw::clone::exit_group(0);
        }
    }

    /// Tells the director who is there. The thread is named after its slot, by which the director finds it in /proc.
    fn say_hello(&self, greeting: &str) {
        if let Ok(name) = CString::new(thread_name(self.slot)) {
            raw::ids::set_thread_name(&name);
        }
        self.say(&format!("{greeting} {}", raw::ids::gettid()));
    }
}

const EINTR: i32 = 4;

/// The name of the thread that plays the actor in `slot`.
#[must_use]
pub fn thread_name(slot: usize) -> String {
    format!("actor-{slot}")
}
