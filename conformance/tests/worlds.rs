//! The worlds, quickly: every case, some generated scripts, and the ways in which a run has to fail.

use pidns_conformance::host::HostWorld;
use pidns_conformance::script::case::Case;
use pidns_conformance::script::parse;
use pidns_conformance::sim::SimWorld;
use pidns_conformance::table::{self, Table, Verdict};
use pidns_conformance::world::World;
use pidns_conformance::{cases, fuzz, play};

/// The program that holds the stage: the tests themselves are another one.
fn host() -> Box<dyn World> {
    Box::new(
        HostWorld::new("host", Vec::new()).with_program(env!("CARGO_BIN_EXE_pidns-conformance")),
    )
}

fn one(text: &str) -> Case {
    parse::cases("test", text).expect("a test has no mistakes").remove(0)
}

#[test]
fn every_case_is_seen_as_it_is_stated_on_host_and_model() {
    let mut worlds = [host(), Box::new(SimWorld::new()) as Box<dyn World>];
    let mut table = Table::default();
    let mut wrong = String::new();
    for case in cases::all().unwrap() {
        let result = table::play_case(&mut worlds, &case);
        for verdict in &result.verdicts {
            match verdict {
                Verdict::Pass => {}
                Verdict::Skipped(why) => println!("skipped: {}: {why}", case.name),
                Verdict::Fail(text) => wrong.push_str(text),
                Verdict::Differs(why) => panic!("{}: host and model: {why}", case.name),
            }
        }
        table.add(&result);
    }
    assert_eq!(wrong, "");
    assert!(table.len() >= 110, "only {} rows", table.len());
}

#[test]
fn a_wrong_expectation_is_reported_in_every_world() {
    let case =
        one("case wrong on purpose\nrows CRE-01\ntop: clone i NEWPID -> 2\ni: getpid -> 7\n");
    let mut worlds = [host(), Box::new(SimWorld::new()) as Box<dyn World>];
    let result = table::play_case(&mut worlds, &case);
    for verdict in &result.verdicts {
        match verdict {
            Verdict::Fail(text) => {
                assert!(text.contains("-> 1") && text.contains("-> 7"), "{text}")
            }
            Verdict::Skipped(why) => println!("skipped: {why}"),
            Verdict::Pass | Verdict::Differs(_) => panic!("a wrong expectation passed"),
        }
    }
    let mut table = Table::default();
    table.add(&result);
    assert!(table.show(&["host".to_owned(), "core".to_owned()]).contains("core=FAIL"));
}

#[test]
fn a_world_that_differs_is_reported_even_if_nothing_is_stated() {
    /// The model, with one answer bent.
    struct Bent(SimWorld);
    impl World for Bent {
        fn name(&self) -> &str {
            "bent"
        }
        fn begin(
            &mut self,
            needs: &[pidns_conformance::script::case::Need],
        ) -> Result<(), pidns_conformance::world::WorldError> {
            self.0.begin(needs)
        }
        fn perform(
            &mut self,
            slot: usize,
            request: &pidns_conformance::script::call::Request,
        ) -> Result<pidns_conformance::world::Outcome, pidns_conformance::world::WorldError>
        {
            let mut outcome = self.0.perform(slot, request)?;
            if request.verb == pidns_conformance::script::verb::Verb::Getppid {
                outcome.answer = pidns_conformance::world::Answer::Done("99".to_owned());
            }
            Ok(outcome)
        }
        fn end(&mut self) -> Result<(), pidns_conformance::world::WorldError> {
            self.0.end()
        }
    }
    let case = one("case nothing stated\ntop: fork a\na: getppid\n");
    let mut worlds: [Box<dyn World>; 2] =
        [Box::new(SimWorld::new()), Box::new(Bent(SimWorld::new()))];
    let result = table::play_case(&mut worlds, &case);
    assert_eq!(result.verdicts[0], Verdict::Pass);
    assert!(matches!(&result.verdicts[1], Verdict::Fail(text) if text.contains("99")));
}

#[test]
fn the_model_plays_a_script_the_same_way_twice() {
    for seed in 0..50 {
        let case = pidns_conformance::generate::script(seed).unwrap();
        let first = play::play(&mut SimWorld::new(), &case).unwrap();
        let second = play::play(&mut SimWorld::new(), &case).unwrap();
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn generated_scripts_do_not_part_host_and_model() {
    let program = env!("CARGO_BIN_EXE_pidns-conformance");
    match fuzz::run(1, 60, 1, Some(program)) {
        Ok(summary) => assert!(summary.is_clean(), "{summary}"),
        Err(error) => println!("{error}"),
    }
}
