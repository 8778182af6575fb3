//! Random scripts of operations, with threads, groups, tracers, signals and memory that runs out; what must hold is
//! every invariant after every operation, and an empty table at the end. The fuzz target plays the same scripts.

use pidns_core::script;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn random_scripts_break_no_invariant(script in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Err(wrong) = script::play(&script) {
            prop_assert!(false, "{wrong}");
        }
    }
}
