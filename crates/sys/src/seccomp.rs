//! System call filters, from rules as data. See seccomp(2).
//!
//! A [`Rule`] says what becomes of one call; calls without a rule are allowed. [`compile`] makes the program: a binary
//! search over the call numbers, so that a call costs a few comparisons, and for those that are always allowed nothing
//! at all, because the kernel remembers them. Arguments are compared by their low 32 bits: rules are for arguments that
//! the kernel itself takes as 32-bit integers, but for [`Test::Null`] and [`Test::Exactly`].

pub mod listener;

use std::ffi::c_void;
use std::os::fd::RawFd;

use crate::Result;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel does it.
    Allow,
    /// The tracer decides.
    Trace,
    /// Whoever has the filter's [`Listener`](listener::Listener) decides.
    Ask,
    /// SIGSYS with these 16 bits as `si_errno`: overrules another filter that would fail the call.
    Trap(u16),
    /// It fails with this errno.
    Fail(u16),
}

impl Verdict {
    fn encode(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Trace => libc::SECCOMP_RET_TRACE,
            Self::Ask => libc::SECCOMP_RET_USER_NOTIF,
            Self::Trap(data) => libc::SECCOMP_RET_TRAP | u32::from(data),
            Self::Fail(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        }
    }
}

/// A look at one argument (0 to 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// It equals the value.
    Is(u8, u32),
    /// It has one of the bits.
    Has(u8, u32),
    /// Masked by the first, it equals the second.
    Masked(u8, u32, u32),
    /// It equals neither value.
    Neither(u8, u32, u32),
    /// It is a null pointer, in all of its 64 bits.
    Null(u8),
    /// It equals the value, in all of its 64 bits.
    Exactly(u8, u64),
}

impl Test {
    const fn argument(self) -> u8 {
        match self {
            Self::Is(argument, _)
            | Self::Has(argument, _)
            | Self::Masked(argument, _, _)
            | Self::Neither(argument, _, _)
            | Self::Null(argument)
            | Self::Exactly(argument, _) => argument,
        }
    }
}

/// What becomes of one call: the verdict of the first test that holds, else that of `otherwise`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The call's number.
    pub call: i64,
    /// The tests, in order.
    pub tests: Vec<(Test, Verdict)>,
    /// If no test holds.
    pub otherwise: Verdict,
}

/// A filter program.
#[derive(Clone)]
pub struct Program(Vec<libc::sock_filter>);

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({} instructions)", self.0.len())
    }
}

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const X32_BIT: u32 = 0x4000_0000;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// Compiles `rules` for x86_64. The i386 entry kills the process by SIGSYS; the x32 entry fails with `ENOSYS`, as on a
/// kernel without it: both would get around the rules by other numbers.
///
/// # Panics
/// If two rules are for the same call.
pub fn compile(mut rules: Vec<Rule>) -> Program {
    rules.sort_by_key(|rule| rule.call);
    assert!(rules.windows(2).all(|pair| pair[0].call < pair[1].call), "one rule a call");
    let mut code = vec![
        op(LOAD, 0, 0, ARCH),
        op(EQUAL, 1, 0, AUDIT_ARCH_X86_64),
        op(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        op(LOAD, 0, 0, NUMBER),
        op(AT_LEAST, 0, 1, X32_BIT),
        op(RETURN, 0, 0, Verdict::Fail(libc::ENOSYS as u16).encode()),
    ];
    search(&rules, &mut code);
    Program(code)
}

/// The number is in the accumulator; every path returns.
fn search(rules: &[Rule], code: &mut Vec<libc::sock_filter>) {
    match rules {
        [] => code.push(op(RETURN, 0, 0, Verdict::Allow.encode())),
        [rule] => {
            code.push(op(EQUAL, 1, 0, number(rule)));
            code.push(op(RETURN, 0, 0, Verdict::Allow.encode()));
            decide(rule, code);
        }
        _ => {
            let (low, high) = rules.split_at(rules.len() / 2);
            let mut lower = Vec::new();
            search(low, &mut lower);
            // A conditional jump reaches 255 instructions, an unconditional one all.
            code.push(op(AT_LEAST, 0, 1, number(&high[0])));
            code.push(op(JUMP, 0, 0, lower.len() as u32));
            code.append(&mut lower);
            search(high, code);
        }
    }
}

fn number(rule: &Rule) -> u32 {
    u32::try_from(rule.call).expect("call numbers are small")
}

fn decide(rule: &Rule, code: &mut Vec<libc::sock_filter>) {
    for (test, verdict) in &rule.tests {
        let low = ARGUMENTS + 8 * u32::from(test.argument());
        code.push(op(LOAD, 0, 0, low));
        match *test {
            Test::Is(_, value) => code.push(op(EQUAL, 0, 1, value)),
            Test::Has(_, bits) => code.push(op(ANY_BIT, 0, 1, bits)),
            Test::Masked(_, mask, value) => {
                code.push(op(AND, 0, 0, mask));
                code.push(op(EQUAL, 0, 1, value));
            }
            Test::Neither(_, one, other) => {
                code.push(op(EQUAL, 2, 0, one));
                code.push(op(EQUAL, 1, 0, other));
            }
            Test::Null(_) => equals_whole(low, 0, code),
            Test::Exactly(_, value) => equals_whole(low, value, code),
        }
        code.push(op(RETURN, 0, 0, verdict.encode()));
    }
    code.push(op(RETURN, 0, 0, rule.otherwise.encode()));
}

/// The low half of the argument is in the accumulator.
fn equals_whole(low: u32, value: u64, code: &mut Vec<libc::sock_filter>) {
    code.push(op(EQUAL, 0, 3, value as u32));
    code.push(op(LOAD, 0, 0, low + 4));
    code.push(op(EQUAL, 0, 1, (value >> 32) as u32));
}

impl Program {
    /// The program as the kernel takes it: eight bytes an instruction.
    pub fn to_bytes(&self) -> Vec<u8> {
        let encode = |op: &libc::sock_filter| {
            let mut bytes = [0u8; 8];
            bytes[0..2].copy_from_slice(&op.code.to_ne_bytes());
            bytes[2] = op.jt;
            bytes[3] = op.jf;
            bytes[4..8].copy_from_slice(&op.k.to_ne_bytes());
            bytes
        };
        self.0.iter().flat_map(encode).collect()
    }

    /// The number of instructions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are none, which never is so.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Installs the filter in the calling thread, for good. Allocates nothing.
    ///
    /// # Errors
    /// `EACCES` without `no_new_privs` or `CAP_SYS_ADMIN`; `EINVAL`, `ENOMEM`.
    pub fn install(&self) -> Result<()> {
        self.install_with(0).map(drop)
    }

    /// Installs the filter likewise, and returns the close-on-exec descriptor of its [`Listener`](listener::Listener).
    ///
    /// # Errors
    /// Also `EBUSY` where the thread has a filter with a listener already.
    pub fn install_listening(&self) -> Result<RawFd> {
        let fd = self.install_with(
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        )?;
        Ok(fd as RawFd)
    }

    fn install_with(&self, flags: libc::c_ulong) -> Result<i64> {
        let program =
            libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: a live program of the length given, which the kernel only reads.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                (&raw const program).cast::<c_void>(),
            )
        };
        crate::signal::check(ret)
    }
}

/// Says that no program that the calling thread executes will give it more rights. See `PR_SET_NO_NEW_PRIVS`.
///
/// # Errors
/// None since Linux 3.5.
pub fn no_new_privileges() -> Result<()> {
    // SAFETY: numbers.
    let ret = unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    crate::signal::check(ret).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers, by an interpreter of the few instructions that are used.
    fn run(program: &Program, arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let mut data = [0u8; 64];
        data[0..4].copy_from_slice(&number.to_ne_bytes());
        data[4..8].copy_from_slice(&arch.to_ne_bytes());
        for (at, arg) in args.iter().enumerate() {
            data[16 + 8 * at..24 + 8 * at].copy_from_slice(&arg.to_ne_bytes());
        }
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let op = program.0[at];
            at += 1;
            let branch = |yes: bool| usize::from(if yes { op.jt } else { op.jf });
            match u32::from(op.code) {
                LOAD => a = u32::from_ne_bytes(data[op.k as usize..][..4].try_into().unwrap()),
                AND => a &= op.k,
                EQUAL => at += branch(a == op.k),
                AT_LEAST => at += branch(a >= op.k),
                ANY_BIT => at += branch(a & op.k != 0),
                JUMP => at += op.k as usize,
                RETURN => return op.k,
                code => panic!("unknown instruction {code:#x}"),
            }
        }
    }

    #[test]
    fn each_call_gets_the_verdict_of_its_rule_and_all_others_are_allowed() {
        let rules = (0..300).step_by(3).map(|call| Rule {
            call,
            tests: vec![
                (Test::Is(0, 7), Verdict::Fail(38)),
                (Test::Has(1, 0x30), Verdict::Trap(9)),
                (Test::Masked(2, 0x7f, 6), Verdict::Allow),
                (Test::Null(3), Verdict::Fail(5)),
                (Test::Exactly(4, 7 << 32 | 5), Verdict::Fail(6)),
                (Test::Neither(5, 0, 8), Verdict::Fail(4)),
            ],
            otherwise: Verdict::Trace,
        });
        let program = compile(rules.collect());
        for call in 0..400u32 {
            let ask = |args: [u64; 6]| run(&program, AUDIT_ARCH_X86_64, call, args);
            let ruled = call < 300 && call % 3 == 0;
            let expect = |verdict: Verdict| if ruled { verdict } else { Verdict::Allow }.encode();
            assert_eq!(ask([7, 0x30, 6, 9, 0, 0]), expect(Verdict::Fail(38)), "{call}");
            assert_eq!(ask([7, 0, 0, 0, 0, 0]), expect(Verdict::Fail(38)), "{call}");
            assert_eq!(ask([1, 0x10, 6, 9, 0, 0]), expect(Verdict::Trap(9)), "{call}");
            assert_eq!(ask([1, 0xf, 0x85, 9, 0, 0]), expect(Verdict::Trace), "{call}");
            assert_eq!(ask([1, 0xf, 0x86, 9, 0, 0]), expect(Verdict::Allow), "{call}");
            assert_eq!(ask([1 << 32 | 7, 0, 0, 9, 0, 0]), expect(Verdict::Fail(38)), "{call}");
            assert_eq!(ask([1, 0xf, 0, 0, 0, 0]), expect(Verdict::Fail(5)), "{call}");
            assert_eq!(ask([1, 0xf, 0, 1 << 32, 0, 0]), expect(Verdict::Trace), "{call}");
            assert_eq!(ask([1, 0xf, 0, 9, 7 << 32 | 5, 0]), expect(Verdict::Fail(6)), "{call}");
            assert_eq!(ask([1, 0xf, 0, 9, 7 << 32, 0]), expect(Verdict::Trace), "{call}");
            assert_eq!(ask([1, 0xf, 0, 9, 5, 0]), expect(Verdict::Trace), "{call}");
            assert_eq!(ask([1, 0xf, 0, 9, 5, 8]), expect(Verdict::Trace), "{call}");
            assert_eq!(ask([1, 0xf, 0, 9, 5, 7]), expect(Verdict::Fail(4)), "{call}");
        }
    }

    #[test]
    fn other_entries_are_refused() {
        let program = compile(Vec::new());
        let i386 = 0x4000_0003;
        assert_eq!(run(&program, i386, 20, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        let x32 = run(&program, AUDIT_ARCH_X86_64, X32_BIT | 39, [0; 6]);
        assert_eq!(x32, Verdict::Fail(libc::ENOSYS as u16).encode());
        // -1 is what a tracer skips a call with; the kernel does not ask the filter again.
        assert_eq!(run(&program, AUDIT_ARCH_X86_64, 39, [0; 6]), Verdict::Allow.encode());
    }
}
