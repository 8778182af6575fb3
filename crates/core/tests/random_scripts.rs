//! Random scripts of operations, with threads, groups, tracers, signals and memory that runs out; what must hold is
//! every invariant after every operation, and an empty table at the end. The fuzz target plays the same scripts.

use pidns_core::script;
use proptest::prelude::*;

/// How many scripts, by `PIDNS_RANDOM_CASES` for more.
fn cases() -> u32 {
    std::env::var("PIDNS_RANDOM_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_scripts_break_no_invariant(script in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Err(wrong) = script::play(&script) {
            prop_assert!(false, "{wrong}");
        }
    }
}
