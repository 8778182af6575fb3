//! The command line, read.

extern crate std;

use std::boxed::Box;
use std::ffi::CString;
use std::vec::Vec;

use super::*;

fn strings(texts: &[&str]) -> Strings {
    let leak = |text: &&str| CString::new(*text).unwrap().into_raw().cast_const();
    let pointers: Vec<_> = texts.iter().map(leak).chain([core::ptr::null()]).collect();
    // SAFETY: an array of strings that nobody else knows, ended by a null pointer and never freed.
    unsafe { Strings::new(Box::leak(pointers.into_boxed_slice()).as_mut_ptr()) }
}

fn parsed(texts: &[&str]) -> Result<Asked, Wrong> {
    parse(strings(&[&["pidns-init"], texts].concat()))
}

fn run(texts: &[&str]) -> (Options, usize) {
    match parsed(texts) {
        Ok(Asked::Run { options, program }) => (options, program),
        other => panic!("{texts:?}: {other:?}"),
    }
}

fn codes(options: &Options) -> Vec<i32> {
    (0..256).filter(|code| options.forgiven.contains(*code)).collect()
}

#[test]
fn without_options_the_program_is_the_first_argument() {
    assert_eq!(run(&["true"]), (Options { verbosity: 1, ..Options::default() }, 1));
    assert_eq!(run(&["true", "-s"]).1, 1);
    assert_eq!(run(&["--", "-s"]), (Options { verbosity: 1, ..Options::default() }, 2));
}

#[test]
fn a_dash_or_nothing_is_a_program() {
    assert_eq!(run(&["-s", "-"]).1, 2);
    assert_eq!(run(&["-s", ""]).1, 2);
}

#[test]
fn the_separator_stands_before_the_program_or_behind_it() {
    let arguments = |texts: &[&str]| {
        let texts = strings(&[&["pidns-init"], texts].concat());
        let Ok(Asked::Run { program, .. }) = parse(texts) else { panic!("no program") };
        // SAFETY: the array goes on up to its null pointer.
        let command = unsafe { Strings::new(command(texts, program).unwrap().argv().cast_mut()) };
        command.iter().map(|text| text.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(arguments(&["x", "-s", "y"]), ["x", "-s", "y"]);
    assert_eq!(arguments(&["-s", "x", "--", "-s", "--"]), ["x", "-s", "--"]);
    assert_eq!(arguments(&["--", "x", "--", "y"]), ["x", "--", "y"]);
    assert_eq!(arguments(&["x", "y", "--", "z"]), ["x", "y", "--", "z"]);
    assert_eq!(arguments(&["x", "--"]), ["x"]);
}

#[test]
fn options_can_be_written_apart_or_together() {
    let (apart, program) =
        run(&["-s", "-w", "-g", "-v", "-v", "-e", "5", "-p", "SIGTERM", "--", "x"]);
    assert_eq!(program, 11);
    assert_eq!(run(&["-swgvve5", "-pTERM", "x"]), (apart, 3));
    assert!(apart.subreaper && apart.warn_on_reap && apart.to_group);
    assert_eq!(
        (apart.verbosity, apart.parent_death_signal, codes(&apart)),
        (3, Some(15), Vec::from([5]))
    );
}

#[test]
fn exit_codes_are_collected() {
    let (options, _) = run(&["-e", "0", "-e63", "-e", "64", "-e255", "-e", " +7", "x"]);
    assert_eq!(codes(&options), [0, 7, 63, 64, 255]);
    assert!(!options.forgiven.contains(-1) && !options.forgiven.contains(256));
}

#[test]
fn bad_exit_codes_are_refused() {
    for bad in
        ["256", "-1", "1x", "x", "", " ", "+", "1 ", "99999999999999999999", "0x10", "\u{e9}"]
    {
        assert!(matches!(parsed(&["-e", bad, "x"]), Err(Wrong::NotAnExitCode(_))), "{bad:?}");
    }
}

#[test]
fn signals_have_names_and_numbers() {
    for (text, signal) in
        [("SIGKILL", 9), ("HUP", 1), ("sigusr1", 10), ("64", 64), ("RTMIN", 34), ("SIGRTMAX", 64)]
    {
        assert_eq!(run(&["-p", text, "x"]).0.parent_death_signal, Some(signal), "{text}");
    }
    for bad in ["", "0", "65", "SIG", "FOO", "SIGFOO", "-9", "9x"] {
        assert!(matches!(parsed(&["-p", bad, "x"]), Err(Wrong::NotASignal(_))), "{bad:?}");
    }
}

#[test]
fn what_is_missing_is_told() {
    assert_eq!(parsed(&[]), Err(Wrong::NoProgram));
    assert_eq!(parsed(&["--"]), Err(Wrong::NoProgram));
    assert_eq!(parsed(&["-s"]), Err(Wrong::NoProgram));
    assert_eq!(parsed(&["-e"]), Err(Wrong::NoArgument(b'e')));
    assert_eq!(parsed(&["-sp"]), Err(Wrong::NoArgument(b'p')));
    assert_eq!(parsed(&["-x", "true"]), Err(Wrong::UnknownOption(b'x')));
    assert_eq!(parsed(&["--foo"]), Err(Wrong::UnknownOption(b'-')));
    assert_eq!(parsed(&["-s", "--version"]), Err(Wrong::UnknownOption(b'-')));
    assert_eq!(parse(strings(&[])), Err(Wrong::NoProgram));
}

#[test]
fn texts_come_before_all_else() {
    assert_eq!(parsed(&["--version"]), Ok(Asked::Print(VERSION)));
    assert_eq!(parsed(&["-h"]), Ok(Asked::Print(USAGE)));
    assert_eq!(parsed(&["-sl", "-x"]), Ok(Asked::Print(LICENSE)));
}

#[test]
fn the_usage_names_every_option() {
    let usage = core::str::from_utf8(USAGE).unwrap();
    for option in ["-s", "-w", "-g", "-p SIG", "-e CODE", "-v", "-h", "-l", "--version"] {
        assert!(usage.contains(&std::format!("\n  {option}")), "{option}");
    }
    for variable in ["TINI_SUBREAPER", "TINI_KILL_PROCESS_GROUP", "TINI_VERBOSITY"] {
        assert!(usage.contains(variable), "{variable}");
    }
    assert!(usage.lines().all(|line| line.len() <= 80));
}

#[test]
fn the_environment_adds_to_the_options() {
    let with = |texts: &[&str]| {
        let mut options = Options { verbosity: 1, ..Options::default() };
        options.apply_environment(strings(texts));
        options
    };
    assert!(with(&["TINI_SUBREAPER="]).subreaper);
    assert!(!with(&["TINI_SUBREAPERS=1", "XTINI_SUBREAPER=1", "TINI_SUBREAPER"]).subreaper);
    assert!(with(&["TINI_KILL_PROCESS_GROUP=1"]).to_group);
    for (text, verbosity) in [("3", 3), ("-2", -2), ("", 0), (" 2x", 2), ("99999999999", i32::MAX)]
    {
        assert_eq!(
            with(&[&std::format!("TINI_VERBOSITY={text}")]).verbosity,
            verbosity,
            "{text:?}"
        );
    }
}
