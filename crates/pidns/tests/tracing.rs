//! What is told to the crate `tracing`.
#![cfg(feature = "tracing")]

use std::sync::{Arc, Mutex};

use pidns::Command;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Keeps the events of the target `pidns`, each as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if event.metadata().target() == "pidns" {
            self.0.lock().expect("nobody panics").push(line.0);
        }
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

/// What is told while `work` is done.
fn lines(work: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::with_default(subscriber, work);
    let lines = lines.0.lock().expect("nobody panics");
    lines.clone()
}

#[test]
fn a_job_is_told_of_from_launch_to_end() {
    let lines = lines(|| {
        let status = Command::new("sh").args(["-c", "exit 7"]).status().expect("it runs");
        assert_eq!(status.code(), Some(7));
    });
    let [launched, ended, gone] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(launched.contains("message=launched") && launched.contains("program=sh"), "{launched}");
    assert!(ended.contains("change=Ended") && ended.contains("status=exit code 7"), "{ended}");
    assert!(gone.contains("message=gone") && gone.contains("timed_out=false"), "{gone}");
    let init = |line: &str| {
        let words = line.split(' ').find(|word| word.starts_with("init_pid="));
        words.map(str::to_owned)
    };
    assert!(init(launched).is_some() && init(launched) == init(gone), "{lines:#?}");
}

#[test]
fn a_launch_that_fails_is_told_of() {
    let lines = lines(|| {
        Command::new("/no/such/program").status().expect_err("it does not exist");
    });
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(line.contains("message=not launched") && line.contains("/no/such/program"), "{line}");
}
