//! Plays the input as a script of operations on a task set: `cargo +nightly fuzz run operations`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pidns_core::script;

fuzz_target!(|input: &[u8]| {
    // Longer scripts find nothing that shorter ones do not, but take longer.
    if input.len() < 1_000 {
        script::play(input).expect("every invariant holds");
    }
});
