//! The worlds, quickly: every case, some generated scripts, and the ways in which a run has to fail.

use pidns_conformance::host::HostWorld;
use pidns_conformance::script::call::Request;
use pidns_conformance::script::case::{Case, Need};
use pidns_conformance::script::parse;
use pidns_conformance::script::verb::Verb;
use pidns_conformance::sim::SimWorld;
use pidns_conformance::table::{self, Table, Verdict};
use pidns_conformance::world::{Answer, Outcome, World, WorldError};
use pidns_conformance::{cases, differences, fuzz, play};

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
                Verdict::Differs(why) => panic!("{}: {why}", case.name),
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
            Verdict::Pass => panic!("a wrong expectation passed"),
            Verdict::Differs(why) => panic!("an unknown case is known to differ: {why}"),
        }
    }
    let mut table = Table::default();
    table.add(&result);
    assert!(table.show(&["host".to_owned(), "core".to_owned()]).contains("core=FAIL"));
}

/// The model under another name, with the answers to one call bent.
struct Bent {
    name: &'static str,
    verb: Option<Verb>,
    model: SimWorld,
}

impl World for Bent {
    fn name(&self) -> &str {
        self.name
    }

    fn begin(&mut self, needs: &[Need]) -> Result<(), WorldError> {
        self.model.begin(needs)
    }

    fn perform(&mut self, slot: usize, request: &Request) -> Result<Outcome, WorldError> {
        let mut outcome = self.model.perform(slot, request)?;
        if Some(request.verb) == self.verb {
            outcome.answer = Answer::Done("99".to_owned());
        }
        Ok(outcome)
    }

    fn end(&mut self) -> Result<(), WorldError> {
        self.model.end()
    }
}

#[test]
fn a_world_that_differs_is_reported_even_if_nothing_is_stated() {
    let case = one("case nothing stated\ntop: fork a\na: getppid\n");
    let bent = Bent { name: "bent", verb: Some(Verb::Getppid), model: SimWorld::new() };
    let mut worlds: [Box<dyn World>; 2] = [Box::new(SimWorld::new()), Box::new(bent)];
    let result = table::play_case(&mut worlds, &case);
    assert_eq!(result.verdicts[0], Verdict::Pass);
    assert!(matches!(&result.verdicts[1], Verdict::Fail(text) if text.contains("99")));
}

#[test]
fn a_known_difference_is_no_failure_and_has_to_be_there() {
    let listed = |case: &Case| differences::reason("ptrace", case).is_some();
    let case = cases::all().unwrap().into_iter().find(listed).unwrap();
    let verb = case.steps[0].call.verb;
    for (verb, differs) in [(Some(verb), true), (None, false)] {
        let world = Bent { name: "ptrace", verb, model: SimWorld::new() };
        let result = table::play_case(&mut [Box::new(world) as Box<dyn World>], &case);
        match &result.verdicts[0] {
            Verdict::Differs(_) => assert!(differs),
            Verdict::Fail(text) => assert!(!differs && text.contains("is listed"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
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
