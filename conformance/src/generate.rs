//! Makes scripts: random calls of random actors, each tried on the model first, so that most of them mean something.
//!
//! A script ends with a census: everybody who can be asked tells about parent, group, session, signals and children.
//!
//! What is left out, because the host would show chance and not a rule, or would not come back from it:
//! * calls whose result shows the order in which processes die: `SimWorld::is_left_to_chance`;
//! * two threads of a process that wait at the same time: who is first is nobody's promise;
//! * a wait that sleeps for a group: children that leave the group wake nobody, so that it may sleep on for no reason;
//! * an init moved into the group of another process: if that is a member it can never end (ZAP-22);
//! * SIGKILL and SIGSTOP to the caller's own group, which may be the one outside.

use crate::dice::Dice;
use crate::play;
use crate::script::case::{Case, Step};
use crate::script::parse;
use crate::sim::SimWorld;
use crate::stage::{Condition, Stage};
use crate::world::{World, WorldError};

/// The most actors of a script.
const MOST_ACTORS: usize = 14;
const FEWEST_STEPS: usize = 8;
const MORE_STEPS: usize = 28;

/// Makes the script of a seed.
///
/// # Errors
/// What keeps the model from playing it.
pub fn script(seed: u64) -> Result<Case, WorldError> {
    let mut author = Author {
        dice: Dice::new(seed),
        stage: Stage::new(),
        world: SimWorld::new(),
        steps: Vec::new(),
        names: 0,
    };
    author.world.begin(&[])?;
    let wanted = FEWEST_STEPS + author.dice.below(MORE_STEPS);
    while author.steps.len() < wanted {
        if !author.write_step()? {
            break;
        }
    }
    author.write_census()?;
    let name = format!("generated from seed {seed}");
    Ok(Case {
        name,
        rows: Vec::new(),
        needs: Vec::new(),
        steps: author.steps,
        origin: format!("seed {seed}"),
    })
}

/// Says whether no call of a script leaves anything to chance, as far as the model can tell.
#[must_use]
pub fn is_determined(case: &Case) -> bool {
    let mut world = SimWorld::new();
    if world.begin(&[]).is_err() {
        return false;
    }
    let mut stage = Stage::new();
    let mut plays = |step| {
        let played = play::play_step(&mut world, &mut stage, step);
        played.is_ok() && !world.is_left_to_chance()
    };
    case.steps.iter().all(&mut plays)
}

struct Author {
    dice: Dice,
    stage: Stage,
    world: SimWorld,
    steps: Vec<Step>,
    /// How many names were given.
    names: usize,
}

/// A kind of call.
type Recipe = fn(&mut Author, usize) -> Option<String>;

/// What there is, and how often.
const MENU: &[(usize, Recipe)] = &[
    (14, |author, _| Some(format!("fork {}", author.newcomer()?))),
    (16, Author::clone),
    (2, |author, _| Some(format!("vfork {}", author.newcomer()?))),
    (4, |author, _| Some(format!("thread {}", author.newcomer()?))),
    (2, |_, _| Some("exec".to_owned())),
    (2, |author, slot| author.if_not_top(slot, "exit 3")),
    (7, |author, slot| author.if_not_top(slot, "exit_group 4")),
    (14, Author::kill),
    (3, |author, slot| Some(format!("tkill {} {}", author.who(slot), author.signal()))),
    (2, |author, slot| Some(format!("sigqueue {} {} sender=7", author.who(slot), author.signal()))),
    (7, Author::sigaction),
    (4, Author::sigmask),
    (2, |author, _| Some(format!("sigpoll {}", author.signal()))),
    (1, |author, slot| author.alone(slot, "sigwait USR1 CHLD TERM")),
    (3, |_, _| Some("caught".to_owned())),
    (2, |_, _| Some("sigpending".to_owned())),
    (14, Author::wait),
    (5, Author::waitid),
    (3, |_, _| Some("getppid".to_owned())),
    (3, |_, _| Some("setsid".to_owned())),
    (6, Author::setpgid),
    (6, |_, _| Some("unshare NEWPID".to_owned())),
    (2, |author, _| Some(format!("openns {} 0 {}", author.fd(), author.link()))),
    (6, |author, _| Some(format!("setns {} NEWPID", author.fd()))),
    (5, |author, slot| Some(format!("pidfd_open {} {}", author.fd(), author.who(slot)))),
    (2, |author, _| Some(format!("pidfd_poll {}", author.fd()))),
    (1, |author, _| Some(format!("pidfd_info {} PID EXIT", author.fd()))),
    (1, |author, _| Some(format!("pidfd_send_signal {} {}", author.fd(), author.signal()))),
    (2, |author, _| Some(format!("pidfd_ns {} {} {}", author.fd(), author.fd(), author.link()))),
    (1, |author, slot| Some(format!("ns_pid_in {} {}", author.fd(), author.who(slot)))),
    (1, |author, slot| Some(format!("ns_tgid_from {} {}", author.fd(), author.who(slot)))),
    (3, |author, _| Some(format!("set_subreaper {}", usize::from(!author.dice.once_in(4))))),
    (4, |author, _| Some(format!("set_pdeathsig {}", author.signal()))),
    (1, |_, _| Some("get_last_pid".to_owned())),
    (1, |author, _| Some(format!("set_last_pid {}", author.dice.below(40)))),
    (1, |author, slot| author.if_not_top(slot, "reboot HALT")),
];

impl Author {
    /// Writes and plays a step; says whether anybody was there to take it.
    fn write_step(&mut self) -> Result<bool, WorldError> {
        let idle: Vec<usize> = self.stage.in_condition(Condition::Idle).collect();
        if idle.is_empty() {
            return Ok(false);
        }
        let slot = self.dice.pick(&idle);
        let recipe = self.dice.weighted(MENU);
        if let Some(call) = recipe(self, slot) {
            self.play(slot, &call)?;
            if self.world.is_left_to_chance() {
                self.take_back()?;
            }
        }
        Ok(true)
    }

    /// Forgets the last step, and comes to where the script was before it.
    fn take_back(&mut self) -> Result<(), WorldError> {
        self.steps.pop();
        self.stage = Stage::new();
        self.world.begin(&[])?;
        for step in &self.steps {
            play::play_step(&mut self.world, &mut self.stage, step)?;
        }
        Ok(())
    }

    fn play(&mut self, slot: usize, call: &str) -> Result<(), WorldError> {
        let call = parse::call(call).map_err(WorldError::Broken)?;
        let actor = self.stage.name(slot).to_owned();
        let step = Step { actor, call, expected: None, line: self.steps.len() + 1 };
        play::play_step(&mut self.world, &mut self.stage, &step)?;
        self.steps.push(step);
        Ok(())
    }

    /// Asks everybody who can be asked.
    fn write_census(&mut self) -> Result<(), WorldError> {
        const QUESTIONS: &[&str] = &[
            "getppid",
            "getpgid 0",
            "getsid 0",
            "sigpending",
            "caught",
            "wait -1 WNOHANG __WALL",
            "wait -1 WNOHANG __WALL",
        ];
        let idle: Vec<usize> = self.stage.in_condition(Condition::Idle).collect();
        for slot in idle {
            for question in QUESTIONS {
                if self.stage.condition(slot) == Condition::Idle {
                    self.play(slot, question)?;
                }
            }
        }
        for number in 1..=20 {
            if self.stage.condition(0) == Condition::Idle {
                self.play(0, &format!("kill {number} 0"))?;
            }
        }
        Ok(())
    }

    fn newcomer(&mut self) -> Option<String> {
        if self.stage.len() >= MOST_ACTORS {
            return None;
        }
        self.names += 1;
        Some(format!("a{}", self.names))
    }

    /// The namespace of the first actor should not end too soon.
    fn if_not_top(&mut self, slot: usize, call: &str) -> Option<String> {
        let wanted = slot != 0 || self.dice.once_in(10);
        wanted.then(|| call.to_owned())
    }

    fn alone(&self, slot: usize, call: &str) -> Option<String> {
        (!self.stage.has_busy_sibling(slot)).then(|| call.to_owned())
    }

    fn fd(&mut self) -> String {
        format!("f{}", self.dice.below(4))
    }

    fn link(&mut self) -> &'static str {
        self.dice.pick(&["pid", "pid_for_children"])
    }

    fn signal(&mut self) -> &'static str {
        const SIGNALS: &[(usize, &str)] = &[
            (6, "TERM"),
            (6, "USR1"),
            (3, "HUP"),
            (2, "CHLD"),
            (4, "CONT"),
            (4, "STOP"),
            (5, "KILL"),
            (2, "RT4"),
            (1, "TSTP"),
            (1, "SEGV"),
            (1, "URG"),
        ];
        self.dice.weighted(SIGNALS)
    }

    /// Somebody, mostly by name.
    fn who(&mut self, caller: usize) -> String {
        let known: Vec<usize> =
            (0..self.stage.len()).filter(|slot| self.stage.knows(caller, *slot)).collect();
        if known.is_empty() || self.dice.once_in(6) {
            return (1 + self.dice.below(9)).to_string();
        }
        self.stage.name(self.dice.pick(&known)).to_owned()
    }

    fn clone(&mut self, slot: usize) -> Option<String> {
        const FLAGS: &[(usize, &str)] = &[
            (10, "NEWPID"),
            (2, "PARENT"),
            (1, "NEWPID PARENT"),
            (2, "exit=0"),
            (2, "exit=USR1"),
            (1, "NEWPID exit=0"),
            (1, "NEWPID VM"),
            (1, "FILES"),
            (1, "NEWPID set_tid=1"),
        ];
        let name = self.newcomer()?;
        if self.dice.once_in(8) {
            return Some(format!("clone {name} set_tid={}", self.who(slot)));
        }
        Some(format!("clone {name} {}", self.dice.weighted(FLAGS)))
    }

    fn kill(&mut self, slot: usize) -> Option<String> {
        let signal = self.signal();
        let target = match self.dice.below(12) {
            0 => "-1".to_owned(),
            1 if !matches!(signal, "KILL" | "STOP" | "TSTP") => "0".to_owned(),
            2 | 3 => format!("-{}", self.who(slot)),
            _ => self.who(slot),
        };
        // The group -1 is everybody.
        let signal = if target == "-1" && signal == "STOP" { "TERM" } else { signal };
        Some(format!("kill {target} {signal}"))
    }

    fn sigaction(&mut self, _slot: usize) -> Option<String> {
        let signal = self.dice.pick(&["TERM", "USR1", "HUP", "CHLD", "CHLD", "CONT", "RT4"]);
        let how = self.dice.pick(&[
            "handler",
            "handler",
            "handler RESTART",
            "handler RESETHAND",
            "ignore",
            "default",
        ]);
        let more = if signal == "CHLD" && self.dice.once_in(4) { " NOCLDWAIT" } else { "" };
        Some(format!("sigaction {signal} {how}{more}"))
    }

    fn sigmask(&mut self, _slot: usize) -> Option<String> {
        let how = self.dice.pick(&["block", "block", "unblock", "set"]);
        let signals = self.dice.pick(&[
            "TERM USR1",
            "HUP CHLD",
            "CONT RT4",
            "TERM USR1 HUP CHLD CONT RT4 TSTP",
        ]);
        Some(format!("sigmask {how} {signals}"))
    }

    fn wait(&mut self, slot: usize) -> Option<String> {
        let options = self.dice.pick(&[
            "",
            "WNOHANG",
            "WNOHANG",
            "WNOHANG __WALL",
            "__WALL",
            "WUNTRACED",
            "WCONTINUED WNOHANG",
            "WNOHANG __WCLONE",
            "WNOHANG __WNOTHREAD",
            "WUNTRACED WNOHANG",
        ]);
        if !options.contains("WNOHANG") && self.stage.has_busy_sibling(slot) {
            return None;
        }
        let groups = if options.contains("WNOHANG") { 6 } else { 4 };
        let target = match self.dice.below(groups) + 6 - groups {
            0 => "0".to_owned(),
            1 => format!("-{}", self.who(slot)),
            2 => self.who(slot),
            _ => "-1".to_owned(),
        };
        Some(format!("wait {target} {options}"))
    }

    fn waitid(&mut self, slot: usize) -> Option<String> {
        let events = self.dice.pick(&[
            "WEXITED",
            "WEXITED WNOWAIT",
            "WSTOPPED",
            "WEXITED WCONTINUED WSTOPPED",
        ]);
        let blocking = self.dice.once_in(4) && !self.stage.has_busy_sibling(slot);
        let patience = if blocking { "" } else { "WNOHANG" };
        Some(match self.dice.below(4) {
            0 => format!("waitid P_PIDFD {} {events} {patience}", self.fd()),
            1 => format!("waitid P_PID {} {events} {patience}", self.who(slot)),
            2 => format!("waitid P_PGID {} {events} {patience}", self.who(slot)),
            _ => format!("waitid P_ALL 0 {events} {patience}"),
        })
    }

    fn setpgid(&mut self, slot: usize) -> Option<String> {
        let target = if self.dice.once_in(2) { "0".to_owned() } else { self.who(slot) };
        let owner = match target.as_str() {
            "0" => Some(slot),
            name => self.stage.find(name),
        };
        // A raw number may be that of an init.
        let safe = owner.is_some_and(|owner| !self.stage.is_of_init(owner));
        let group = if safe && self.dice.once_in(2) { self.who(slot) } else { "0".to_owned() };
        Some(format!("setpgid {target} {group}"))
    }
}
