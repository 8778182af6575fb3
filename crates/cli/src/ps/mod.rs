//! `pidns ps`: [`list`] shows all namespaces, [`tree`] the processes in one.

mod list;
mod tree;

use std::io::{self, IsTerminal};
use std::thread;

use pidns::PidNamespace;
use pidns_sys::tty;

use crate::args::Ps;
use crate::exit::Failure;
use crate::text::Reader;
use crate::{target, text};

/// Puts the cursor home and clears the screen below: console_codes(4).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Shows what there is, once or again and again.
pub(crate) fn ps(args: &Ps) -> Result<u8, Failure> {
    let namespace = args.target.as_deref().map(target::open).transpose()?;
    loop {
        let shown = show(args, namespace.as_ref());
        if !args.watch || matches!(shown, Ok(Reader::HasGone)) {
            return shown.map(|_| 0);
        }
        // A namespace that is gone cannot be looked at, and need not be.
        if is_over(args, namespace.as_ref())? {
            return Ok(0);
        }
        shown?;
    }
}

fn show(args: &Ps, namespace: Option<&PidNamespace>) -> Result<Reader, Failure> {
    let answer = match (namespace, args.json) {
        (Some(namespace), json) => {
            let processes = namespace.tree().map_err(unreadable)?;
            if json {
                json_text(args, &tree::json(namespace, &processes))
            } else {
                tree::text(namespace, &processes)
            }
        }
        (None, json) => {
            let all = PidNamespace::list().map_err(unreadable)?;
            if json { json_text(args, &list::json(&all)) } else { list::text(&all) }
        }
    };
    let clears = args.watch && !args.json && io::stdout().is_terminal();
    let answer = if args.json { answer } else { fitted(&answer, tty::columns(io::stdout())) };
    text::print(&format!("{}{answer}", if clears { CLEAR } else { "" }))
}

/// The lines of `text`, cut where the terminal ends.
fn fitted(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let cut = |line: &str| line.chars().take(columns).chain(['\n']).collect::<String>();
    text.lines().map(cut).collect()
}

/// Pretty for people, or one line each time.
fn json_text(args: &Ps, value: &impl serde::Serialize) -> String {
    if args.watch {
        let line = serde_json::to_string(value).expect("it has string keys only");
        line + "\n"
    } else {
        text::json(value)
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new("cannot look at processes", text::without_number(&error))
}

/// Waits for the next look; true if there is nothing to look at any more.
fn is_over(args: &Ps, namespace: Option<&PidNamespace>) -> Result<bool, Failure> {
    match namespace {
        Some(namespace) => namespace.wait_timeout(args.interval).map_err(unreadable),
        None => {
            thread::sleep(args.interval);
            Ok(false)
        }
    }
}
