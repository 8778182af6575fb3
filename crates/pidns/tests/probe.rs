//! The probe on this machine: what it says has to be what happens.

use pidns::probe::Facts;
use pidns::{Command, Engine, Proc, Stage};

#[test]
fn an_engine_works_exactly_if_the_probe_says_so() {
    let diagnosis = Facts::collect().diagnose();
    assert_eq!(diagnosis.verdicts.len(), 3);
    for verdict in &diagnosis.verdicts {
        let run = Command::new("true").engine(verdict.engine()).status();
        assert_eq!(verdict.works(), run.is_ok(), "{verdict:?} {run:?}");
    }
}

#[test]
fn auto_is_the_first_that_works() {
    let diagnosis = Facts::collect().diagnose();
    let job = Command::new("true").spawn();
    assert_eq!(diagnosis.auto(), job.as_ref().ok().map(|job| job.report().engine));
    let Ok(job) = job else { return };
    let passed: Vec<_> = job.report().passed_over.iter().map(|passed| passed.engine).collect();
    let refused = diagnosis.verdicts.iter().take_while(|verdict| !verdict.works());
    assert_eq!(passed, refused.map(|verdict| verdict.engine()).collect::<Vec<_>>());
}

#[test]
fn a_fresh_proc_can_be_had_exactly_if_the_probe_says_so() {
    let facts = Facts::collect();
    let run = Command::new("true").engine(Engine::Kernel).proc(Proc::Fresh).status();
    assert_eq!(facts.trials.kernel_with_proc.is_none(), run.is_ok(), "{facts:?} {run:?}");
}

#[test]
fn a_command_that_is_not_found_is_no_reason_to_try_another_engine() {
    let error = Command::new("/no/such/program").spawn().expect_err("it does not exist");
    let any = Facts::collect().diagnose().auto().is_some();
    assert_eq!(error.stage() == Stage::Exec, any, "{error:?}");
}
