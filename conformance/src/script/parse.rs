//! Reads scripts.
//!
//! ```text
//! # a comment
//! case a dying init takes its members along
//! rows ZAP-02 ZAP-06
//! needs proc
//!
//! top: clone i NEWPID        -> 2
//! i: fork m                  -> 2
//! top: wait i                -> blocked
//! i: exit 7                  -> gone
//!     m: gone
//!     top: done -> 2 exited 7
//! ```
//!
//! The first actor is `top`, number 1 of a namespace made for the case. Indented lines are what happens to others.

use crate::script::call::{Argument, Call, Who};
use crate::script::case::{Case, Need, Step};
use crate::script::verb::{Kind, Parameter, Verb};
use crate::script::words;

/// A mistake in a script.
#[derive(Debug, PartialEq, Eq)]
pub struct ParseError {
    /// File and line.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for ParseError {}

/// Reads all cases of the text of `file`.
///
/// # Errors
/// The first mistake.
pub fn cases(file: &str, text: &str) -> Result<Vec<Case>, ParseError> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        read_line(&mut cases, without_comment(raw), index + 1, &place)
            .map_err(|what| ParseError { place, what })?;
    }
    Ok(cases)
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim_end()
}

fn read_line(cases: &mut Vec<Case>, line: &str, number: usize, place: &str) -> Result<(), String> {
    if line.is_empty() {
        return Ok(());
    }
    if let Some(name) = line.strip_prefix("case ") {
        cases.push(Case {
            name: name.trim().to_owned(),
            rows: Vec::new(),
            needs: Vec::new(),
            steps: Vec::new(),
            origin: place.to_owned(),
        });
        return Ok(());
    }
    let case = cases.last_mut().ok_or("a line before the first `case`")?;
    if let Some(rows) = line.strip_prefix("rows ") {
        case.rows.extend(rows.split_whitespace().map(str::to_owned));
    } else if let Some(needs) = line.strip_prefix("needs ") {
        let needs = needs.split_whitespace().map(need).collect::<Result<Vec<_>, _>>()?;
        case.needs.extend(needs);
    } else if line.starts_with(' ') {
        let step = case.steps.last_mut().ok_or("an indented line before the first call")?;
        let expected =
            step.expected.as_mut().ok_or("an indented line below a call without `->`")?;
        expected.push(squeeze(line));
    } else {
        case.steps.push(step(line, number)?);
    }
    Ok(())
}

fn need(word: &str) -> Result<Need, String> {
    let known = Need::ALL.into_iter().find(|need| need.word() == word);
    known.ok_or_else(|| format!("no such need: {word}"))
}

/// Brings the blanks of an expected line down to one each.
fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn step(line: &str, number: usize) -> Result<Step, String> {
    let (call, expected) = match line.split_once("->") {
        Some((call, answer)) => (call, Some(vec![squeeze(answer)])),
        None => (line, None),
    };
    let (actor, call) = call.split_once(':').ok_or("expected `ACTOR: CALL`")?;
    Ok(Step { actor: actor.trim().to_owned(), call: self::call(call)?, expected, line: number })
}

/// Reads a call such as `kill b TERM`.
///
/// # Errors
/// What is wrong with it.
pub fn call(text: &str) -> Result<Call, String> {
    let mut tokens = text.split_whitespace();
    let name = tokens.next().ok_or("expected a call")?;
    let verb = Verb::named(name).ok_or_else(|| format!("no such call: {name}"))?;
    let (keyed, positional): (Vec<&str>, Vec<&str>) = tokens.partition(|token| token.contains('='));
    let mut positional = positional.into_iter();
    let mut arguments = Vec::new();
    for parameter in verb.signature().parameters {
        arguments.push(match parameter.key {
            Some(key) => keyed_argument(parameter, key, &keyed)?,
            None => positional_argument(actual_kind(parameter.kind, &arguments), &mut positional)?,
        });
    }
    reject_rest(verb, &keyed, positional.next())?;
    Ok(Call { verb, arguments })
}

/// What the second argument of waitid means depends on the first.
fn actual_kind(kind: Kind, before: &[Argument]) -> Kind {
    const P_PIDFD: i64 = 3;
    match kind {
        Kind::PidOrFd if before.last() == Some(&Argument::Int(P_PIDFD)) => Kind::Fd,
        Kind::PidOrFd => Kind::Pid,
        other => other,
    }
}

fn keyed_argument(parameter: &Parameter, key: &str, tokens: &[&str]) -> Result<Argument, String> {
    let found =
        tokens.iter().filter_map(|token| token.split_once('=')).find(|(name, _)| *name == key);
    match found {
        Some((_, value)) => argument(parameter.kind, value),
        None => Ok(Argument::Absent),
    }
}

fn positional_argument<'a>(
    kind: Kind,
    tokens: &mut impl Iterator<Item = &'a str>,
) -> Result<Argument, String> {
    match kind {
        Kind::Flags(_) | Kind::Signals => {
            let bits =
                tokens.map(|token| set_member(kind, token)).collect::<Result<Vec<_>, _>>()?;
            Ok(Argument::Int(bits.into_iter().fold(0, |all, bit| all | bit)))
        }
        _ => argument(kind, tokens.next().ok_or("an argument is missing")?),
    }
}

fn set_member(kind: Kind, token: &str) -> Result<i64, String> {
    match kind {
        Kind::Flags(table) => word_or_digits(table, token),
        _ => signal(token).map(|signal| 1 << (signal - 1)),
    }
}

fn argument(kind: Kind, token: &str) -> Result<Argument, String> {
    match kind {
        Kind::NewActor | Kind::NewFd => Ok(Argument::Name(token.to_owned())),
        Kind::Pid => Ok(Argument::Who(who(token))),
        Kind::Fd => {
            Ok(token.parse().map_or_else(|_| Argument::Name(token.to_owned()), Argument::Int))
        }
        Kind::Int => number(token).map(Argument::Int),
        Kind::Signal => signal(token).map(Argument::Int),
        Kind::One(table) => word_or_digits(table, token).map(Argument::Int),
        Kind::List => Ok(Argument::List(token.split(',').map(who).collect())),
        Kind::Flags(_) | Kind::Signals | Kind::PidOrFd => Err("out of place".to_owned()),
    }
}

fn who(token: &str) -> Who {
    match (number(token), token.strip_prefix('-')) {
        (Ok(number), _) => Who::Number(number),
        (_, Some(name)) => Who::Group(name.to_owned()),
        _ => Who::Actor(token.to_owned()),
    }
}

fn signal(token: &str) -> Result<i64, String> {
    word_or_digits(words::SIGNALS, token)
}

fn word_or_digits(table: words::Words, token: &str) -> Result<i64, String> {
    words::number(table, token).map_or_else(|| number(token), Ok)
}

fn number(token: &str) -> Result<i64, String> {
    let parsed = match token.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => token.parse().ok(),
    };
    parsed.ok_or_else(|| format!("neither a word known here nor a number: {token}"))
}

fn reject_rest(verb: Verb, keyed: &[&str], extra: Option<&str>) -> Result<(), String> {
    let known = |token: &str| {
        let key = token.split('=').next();
        verb.signature()
            .parameters
            .iter()
            .any(|parameter| parameter.key.is_some() && parameter.key == key)
    };
    match keyed.iter().copied().find(|token| !known(token)).or(extra) {
        Some(token) => Err(format!("{} does not take {token}", verb.signature().name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
case a sample
rows ZAP-02 ZAP-03
needs proc
top: clone i NEWPID NEWNS exit=0 set_tid=1,i -> 2   # with a remark
    i:   gone
i: kill -top TERM
top: waitid P_ALL 0 WEXITED WNOHANG -> 0
top: sigmask block TERM USR1 38
";

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let read = cases("sample", SAMPLE).unwrap();
        assert_eq!(read[0].needs, [Need::Proc]);
        assert_eq!(read[0].steps[0].expected.as_deref().unwrap(), ["2", "i: gone"]);
        let mut again = cases("sample", &read[0].to_string()).unwrap();
        for (step, old) in again[0].steps.iter_mut().zip(&read[0].steps) {
            step.line = old.line;
        }
        assert_eq!(again[0].steps, read[0].steps);
    }

    #[test]
    fn mistakes_name_their_place() {
        let wrong = cases("f", "case x\ntop: kill b NOSIG\n").unwrap_err();
        assert_eq!(wrong.place, "f:2");
        assert!(cases("f", "case x\ntop: kill b TERM TERM\n").is_err());
        assert!(cases("f", "case x\ntop: fork a pid=3\n").is_err());
        assert!(cases("f", "top: fork a\n").is_err());
    }
}
