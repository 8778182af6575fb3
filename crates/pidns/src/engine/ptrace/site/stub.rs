//! The machine code that looks at a call's arguments for its site, and makes the call.
//!
//! ```text
//!         mov  ..                 ; what stood at the site
//!         cmp  eax, CALL          ; the call it is for, or `other`
//!         ...                     ; looks at the arguments: in doubt, `plain`
//!         mov  eax, CALL
//!         add  rsp, -128          ; the red zone stays
//!         push r9
//!         mov  r9, KEY            ; the filter lets it pass
//!         syscall
//!         pop  r9
//!         sub  rsp, -128
//!         jmp  after
//! plain:  mov  eax, CALL
//!         nop
//! other:  syscall                 ; the filter asks
//! after:  jmp  SITE               ; behind the site's own syscall
//! ```
//! A `syscall` instruction changes `rcx` and `r11`, so they are free, and `eax` is known. What is looked at is in
//! [`look`](super::look). Stubs with a [`switch`](super::switch) differ in what is between the second line and `plain`.

use std::ops::Range;

use pidns_sys::abi;
use pidns_sys::ptrace::regs::Registers;

use super::code::{Code, EXCHANGED, JMP_SHORT, JNE, MOV_EAX, NOP, SYSCALL, jump};
use super::switch::{self, Kind};
use super::{birth, look, number, peek};

/// The length of a stub.
pub(super) const SIZE: usize = 128;

/// Where a stub makes the call as it would have been made.
pub(super) const PLAIN: usize = OTHER - 1 - EXCHANGED;
/// Where it makes any call as it would have been made.
const OTHER: usize = AFTER - SYSCALL.len();
/// Where it ends.
pub(super) const AFTER: usize = SIZE - EXCHANGED;

/// Where in a stub a call that is not let pass may end.
pub(super) const CALLS: [usize; 2] = [AFTER, switch::END - 1];

const MOV_EDI: u8 = 0xbf;

/// The code of a call site, up to its `syscall`.
pub(super) const SITE: usize = EXCHANGED + SYSCALL.len();

/// What makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    call: i64,
    /// The instruction before its `syscall`.
    before: [u8; EXCHANGED],
}

impl Site {
    /// The site of a call with this code, if the instruction before its `syscall` can be exchanged. It is known to be one
    /// instruction, since it has the number of the call in it, or `AT_FDCWD` where the call takes that.
    pub(super) fn new(call: i64, code: [u8; SITE]) -> Option<Self> {
        let [a, b, c, d, e, syscall @ ..] = code;
        let before = [a, b, c, d, e];
        let [code, number @ ..] = before;
        let number = i32::from_le_bytes(number);
        let known = match code {
            MOV_EAX => i64::from(number) == call,
            MOV_EDI => look::takes_directory(call) && number == abi::AT_FDCWD,
            _ => false,
        };
        (known && syscall == SYSCALL).then_some(Self { call, before })
    }

    /// Its code.
    pub(super) fn code(&self) -> [u8; SITE] {
        let [a, b, c, d, e] = self.before;
        let [f, g] = SYSCALL;
        [a, b, c, d, e, f, g]
    }
}

/// A stub, and what in it may fault.
pub(super) struct Stub {
    pub(super) bytes: [u8; SIZE],
    /// Where it is, and its site.
    pub(super) at: u64,
    pub(super) site: u64,
    /// What is put at the start of the site.
    pub(super) jump: [u8; EXCHANGED],
    /// Of its switch, if it has one.
    pub(super) kind: Option<Kind>,
    call: i64,
    /// Where it goes on after the call with the key.
    entered: usize,
    /// What in it may fault, and how far the stack has been moved then.
    faults: Vec<(usize, u8)>,
}

/// The stub at the address `at` of a site that ends at `after`.
pub(super) fn stub(at: u64, after: u64, site: &Site, key: u64) -> Option<Stub> {
    let mut code = Code::new();
    code.add(&site.before);
    code.add(&[0x3d]); // cmp eax, ..
    let call = i32::try_from(site.call).ok()?;
    code.add(&call.to_le_bytes());
    let kind = Kind::of(site.call);
    match kind {
        Some(Kind::Number) => number::ask(&mut code),
        Some(Kind::Birth) => birth::ask(&mut code, site.call, key),
        Some(Kind::Peek) => peek::ask(&mut code, key),
        None => {
            code.branch(JNE, OTHER);
            match site.call {
                abi::SYS_rt_sigaction => look::action(&mut code),
                _ => look::path(&mut code, site.call),
            }
            code.call_with(call, key);
            code.branch(JMP_SHORT, AFTER);
        }
    }
    code.finish(PLAIN);
    code.set_call(call);
    // Else it would be a site itself.
    code.add(&[NOP]);
    code.add(&SYSCALL);
    code.add(&jump(at + AFTER as u64, after)?);
    let Code { bytes, faults, entered, .. } = code;
    let (call, site) = (site.call, after.checked_sub(SITE as u64)?);
    Some(Stub { bytes, at, site, jump: jump(site, at)?, kind, call, entered, faults })
}

/// Where the stub would be in which an address is, and how far into it that is.
pub(super) fn around(address: u64) -> (u64, usize) {
    let offset = address % SIZE as u64;
    (address - offset, offset as usize)
}

/// The stub that these bytes at the address `at` are.
pub(super) fn recognise(at: u64, bytes: &[u8; SIZE], key: u64) -> Option<Stub> {
    let word = |range: Range<usize>| bytes[range].try_into().map(i32::from_le_bytes).ok();
    let distance = i64::from(word(AFTER + 1..SIZE)?).cast_unsigned();
    let after = (at + SIZE as u64).wrapping_add(distance);
    let call = i64::from(word(EXCHANGED + 1..2 * EXCHANGED)?);
    let site = Site { call, before: bytes[..EXCHANGED].try_into().ok()? };
    stub(at, after, &site, key).filter(|stub| {
        let own = stub.kind.map_or(0..0, |_| switch::WORD..switch::END);
        (0..SIZE).all(|index| own.contains(&index) || stub.bytes[index] == bytes[index])
    })
}

impl Stub {
    /// Has its switch turned on from the beginning.
    pub(super) fn turn_on(&mut self) {
        if let Some(kind) = self.kind {
            self.bytes[switch::WORD..switch::END].copy_from_slice(&kind.on(0));
        }
    }

    /// Where a task goes on that has made a child with this number and has not looked for that yet. It is at this offset.
    pub(super) fn after_birth(
        &self,
        offset: usize,
        before: &Registers,
        number: i32,
    ) -> Option<Registers> {
        let is_maker = before.result() > 0 && (self.entered..AFTER).contains(&offset);
        if self.kind != Some(Kind::Birth) || !is_maker {
            return None;
        }
        let mut registers = *before;
        birth::restore(&mut registers, self.call);
        registers.set_result(i64::from(number));
        registers.jump(self.at + AFTER as u64);
        Some(registers)
    }

    /// Where a task goes on that has faulted at this offset: its call is asked about, and it is the kernel that fails it.
    /// With what is to be added to its stack pointer; `None` if nothing can fault there.
    pub(super) fn after_fault(&self, offset: usize) -> Option<(usize, u64)> {
        let fault = self.faults.iter().find(|(at, _)| *at == offset);
        fault.map(|(_, moved)| (PLAIN, u64::from(*moved)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u64 = 0x0123_4567_89ab_cdef;
    const AT: u64 = 0x7000_0000_1f80;
    const AFTER: u64 = 0x7000_0000_0110;

    fn site(call: i64, code: u8, number: i32) -> Option<Site> {
        let [a, b, c, d] = number.to_le_bytes();
        Site::new(call, [code, a, b, c, d, SYSCALL[0], SYSCALL[1]])
    }

    #[test]
    fn only_what_is_known_to_be_one_instruction_is_exchanged() {
        let open = abi::SYS_openat as i32;
        assert!(site(abi::SYS_openat, MOV_EAX, open).is_some());
        assert!(site(abi::SYS_openat, MOV_EDI, abi::AT_FDCWD).is_some());
        // Another register, another call, no directory in the call.
        assert!(site(abi::SYS_openat, 0xb9, open).is_none());
        assert!(site(abi::SYS_openat, MOV_EAX, open + 1).is_none());
        assert!(site(abi::SYS_openat, MOV_EDI, 3).is_none());
        assert!(site(abi::SYS_readlink, MOV_EDI, abi::AT_FDCWD).is_none());
        // Another instruction enters the kernel.
        let [a, b, c, d] = open.to_le_bytes();
        assert!(Site::new(abi::SYS_openat, [MOV_EAX, a, b, c, d, 0xcd, 0x80]).is_none());
    }

    const WITH_SWITCH: [i64; 5] =
        [abi::SYS_getpid, abi::SYS_vfork, abi::SYS_clone, abi::SYS_clone3, abi::SYS_wait4];
    const WITHOUT: [i64; 5] = [
        abi::SYS_readlink,
        abi::SYS_open,
        abi::SYS_openat,
        abi::SYS_newfstatat,
        abi::SYS_rt_sigaction,
    ];

    fn stub_of(call: i64) -> Stub {
        stub(AT, AFTER, &site(call, MOV_EAX, call as i32).unwrap(), KEY).unwrap()
    }

    /// The changes of one byte after which it is taken for the stub that it was, or one that has other bytes.
    fn unnoticed(stub: &Stub) -> Vec<usize> {
        let changed = |at: &usize| {
            let mut bytes = stub.bytes;
            bytes[*at] ^= 1;
            // Some bytes say which site it is for: then it is a stub, for another one.
            recognise(AT, &bytes, KEY).is_some_and(|other| other.bytes != bytes)
        };
        (0..SIZE).filter(changed).collect()
    }

    #[test]
    fn a_stub_is_known_by_all_of_its_bytes_and_its_place() {
        for call in WITHOUT {
            let stub = stub_of(call);
            assert!(recognise(AT, &stub.bytes, KEY).is_some());
            assert!(recognise(AT, &stub.bytes, KEY + 1).is_none());
            assert!(unnoticed(&stub).is_empty());
        }
    }

    #[test]
    fn a_stub_with_a_switch_is_known_whatever_that_is() {
        for call in WITH_SWITCH {
            let stub = stub_of(call);
            assert!(recognise(AT, &stub.bytes, KEY).is_some());
            assert_eq!(unnoticed(&stub), Vec::from_iter(switch::WORD..switch::END), "{call}");
        }
    }

    #[test]
    fn what_may_fault_is_left_by_the_plain_call() {
        let faults = |call| {
            let stub = stub_of(call);
            (0..SIZE).filter_map(|at| stub.after_fault(at)).collect::<Vec<_>>()
        };
        for call in WITHOUT {
            let found = faults(call);
            assert_eq!(found.len(), if call == abi::SYS_rt_sigaction { 3 } else { 2 });
            assert!(found.iter().all(|(to, _)| *to == PLAIN));
        }
        assert!(faults(abi::SYS_vfork).is_empty());
        assert_eq!(faults(abi::SYS_clone3), [(PLAIN, 0); 4]);
        let moved: Vec<u64> = faults(abi::SYS_wait4).into_iter().map(|(_, moved)| moved).collect();
        assert_eq!(moved, [128, 136, 144, 152, 160, 168]);
    }

    #[test]
    fn a_stub_has_no_site() {
        for call in WITHOUT.into_iter().chain(WITH_SWITCH) {
            let mut stub = stub_of(call);
            for on in [false, true] {
                if on {
                    stub.turn_on();
                }
                let is_site = |code: &[u8]| {
                    let code: [u8; SITE] = code.try_into().unwrap();
                    [call, abi::SYS_clone, abi::SYS_waitid]
                        .iter()
                        .any(|call| Site::new(*call, code).is_some())
                };
                // A number's own call is one: it never gets another stub, as it is in one.
                let found = stub.bytes.windows(SITE).filter(|code| is_site(code)).count();
                assert_eq!(found, usize::from(call == abi::SYS_getpid && !on), "{call}");
            }
        }
    }

    #[test]
    fn only_functions_that_make_the_call_and_return_can_make_children() {
        let vfork = [0x57, 0x3d, 1, 0xf0, 0xff, 0xff, 0x73, 1];
        let clone = [0x48, 0x85, 0xc0, 0x7c, 0x18, 0x74, 1, 0xc3];
        assert!(birth::is_function(abi::SYS_vfork, vfork));
        assert!(birth::is_function(abi::SYS_clone, clone));
        assert!(birth::is_function(abi::SYS_clone3, clone));
        assert!(!birth::is_function(abi::SYS_vfork, clone));
        assert!(!birth::is_function(abi::SYS_clone3, vfork));
        assert!(!birth::is_function(abi::SYS_clone, [0x48, 0x85, 0xc0, 0x7c, 0x18, 0x74, 1, 0x90]));
    }

    #[test]
    fn a_site_and_its_stub_jump_to_each_other() {
        let site = site(abi::SYS_access, MOV_EAX, abi::SYS_access as i32).unwrap();
        let stub = stub(AT, AFTER, &site, KEY).unwrap();
        let target = |from: u64, code: &[u8]| {
            assert_eq!(code[0], 0xe9);
            let distance = i32::from_le_bytes(code[1..5].try_into().unwrap());
            from.wrapping_add(5).wrapping_add_signed(i64::from(distance))
        };
        assert_eq!(target(stub.site, &stub.jump), AT);
        assert_eq!(target(AT + super::AFTER as u64, &stub.bytes[super::AFTER..]), AFTER);
        // Too far.
        assert!(super::stub(AT + (1 << 31), AFTER, &site, KEY).is_none());
    }
}
