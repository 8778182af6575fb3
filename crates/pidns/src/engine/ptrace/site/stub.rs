//! The machine code that looks at a path for a call site, and makes the call.
//!
//! ```text
//!         mov  ..                 ; what stood at the site
//!         cmp  eax, CALL          ; the call it is for, or `plain`
//!         cmp  edi, AT_FDCWD      ; likewise, where the first argument is a directory
//!         mov  rcx, PATH          ; a syscall instruction changes rcx and r11, so they are free
//!         ...                     ; "proc" in it, or opens and ends with "/" or ".": `plain`
//!         lea  rsp, [rsp - 136]   ; the red zone stays
//!         mov  [rsp], r9
//!         mov  r9, KEY            ; the filter lets it pass
//!         syscall
//!         mov  r9, [rsp]
//!         lea  rsp, [rsp + 136]
//!         jmp  after
//! plain:  syscall                 ; the filter asks
//! after:  jmp  SITE               ; behind the site's own syscall
//! ```

use std::ops::Range;

use pidns_sys::abi;

use super::super::path;

/// The length of a stub.
pub(super) const SIZE: usize = 128;

/// A `mov` of a number to a 32-bit register, or a `jmp`: the length of what is exchanged at a site.
const EXCHANGED: usize = 5;

/// `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

const PLAIN: usize = SIZE - SYSCALL.len() - EXCHANGED;
const AFTER: usize = SIZE - EXCHANGED;
const JMP: u8 = 0xe9;
const JMP_SHORT: u8 = 0xeb;
const MOV_EAX: u8 = 0xb8;
const MOV_EDI: u8 = 0xbf;
/// What is in the stub between the red zone and the stack.
const BELOW: i32 = 128 + 8;
/// Below this nothing is mapped.
const LOWEST: u32 = 4096;

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
            MOV_EDI => takes_directory(call) && number == abi::AT_FDCWD,
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

fn takes_directory(call: i64) -> bool {
    path::argument(call, abi::AT_FDCWD).0 == 1
}

/// A stub, and what in it may fault.
pub(super) struct Stub {
    pub(super) bytes: [u8; SIZE],
    /// Where it is, and its site.
    pub(super) at: u64,
    pub(super) site: u64,
    /// What is put at the start of the site.
    pub(super) jump: [u8; EXCHANGED],
    /// Reads the path.
    load: usize,
    /// Writes to the stack, which has been moved.
    store: usize,
}

/// A jump from one address to another; `None` if that is too far.
fn jump(from: u64, to: u64) -> Option<[u8; EXCHANGED]> {
    let distance = to.wrapping_sub(from.wrapping_add(EXCHANGED as u64)).cast_signed();
    let [a, b, c, d] = i32::try_from(distance).ok()?.to_le_bytes();
    Some([JMP, a, b, c, d])
}

/// The stub at the address `at` of a site that ends at `after`.
pub(super) fn stub(at: u64, after: u64, site: &Site, key: u64) -> Option<Stub> {
    let mut code = Code { bytes: [TRAP; SIZE], at: 0 };
    code.add(&site.before);
    code.add(&[0x3d]); // cmp eax, ..
    code.add(&i32::try_from(site.call).ok()?.to_le_bytes());
    code.branch(JNE, PLAIN);
    if takes_directory(site.call) {
        code.add(&[0x83, 0xff, abi::AT_FDCWD as u8]); // cmp edi, ..
        code.branch(JNE, PLAIN);
        code.add(&[0x48, 0x89, 0xf1]); // mov rcx, rsi
    } else {
        code.add(&[0x48, 0x89, 0xf9]); // mov rcx, rdi
    }
    code.add(&[0x48, 0x81, 0xf9]); // cmp rcx, ..
    code.add(&LOWEST.to_le_bytes());
    code.branch(JB, PLAIN);
    code.add(&[0x45, 0x31, 0xdb]); // xor r11d, r11d: the last four bytes of the path
    let next = code.at;
    code.add(&[0x41, 0xc1, 0xe3, 8]); // shl r11d, 8
    let load = code.at;
    code.add(&[0x44, 0x8a, 0x19]); // mov r11b, [rcx]
    code.add(&[0x48, 0xff, 0xc1]); // inc rcx
    code.add(&[0x45, 0x84, 0xdb]); // test r11b, r11b
    let (jump_to_end, cmp, jumps) = (2, 7, 2 + 2);
    code.branch(JE, code.at + jump_to_end + cmp + jumps);
    code.add(&[0x41, 0x81, 0xfb]); // cmp r11d, ..
    code.add(&u32::from_be_bytes(*b"proc").to_le_bytes());
    code.branch(JNE, next);
    code.branch(JMP_SHORT, PLAIN);
    if path::opens(site.call) {
        // '.' and '/' differ in the lowest bit.
        code.add(&[0x41, 0xc1, 0xeb, 8 + 1]); // shr r11d, ..
        code.add(&[0x41, 0x80, 0xfb, b'.' >> 1]); // cmp r11b, ..
        code.branch(JE, PLAIN);
    }
    code.add(&[0x48, 0x8d, 0xa4, 0x24]); // lea rsp, [rsp - ..]
    code.add(&(-BELOW).to_le_bytes());
    let store = code.at;
    code.add(&[0x4c, 0x89, 0x0c, 0x24]); // mov [rsp], r9
    code.add(&[0x49, 0xb9]); // mov r9, ..
    code.add(&key.to_le_bytes());
    code.add(&SYSCALL);
    code.add(&[0x4c, 0x8b, 0x0c, 0x24]); // mov r9, [rsp]
    code.add(&[0x48, 0x8d, 0xa4, 0x24]); // lea rsp, [rsp + ..]
    code.add(&BELOW.to_le_bytes());
    code.branch(JMP_SHORT, AFTER);
    code.at = PLAIN;
    code.add(&SYSCALL);
    code.add(&jump(at + AFTER as u64, after)?);
    let site = after.checked_sub(SITE as u64)?;
    Some(Stub { bytes: code.bytes, at, site, jump: jump(site, at)?, load, store })
}

const TRAP: u8 = 0xcc;
const JB: u8 = 0x72;
const JE: u8 = 0x74;
const JNE: u8 = 0x75;

struct Code {
    bytes: [u8; SIZE],
    at: usize,
}

impl Code {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn branch(&mut self, code: u8, to: usize) {
        let distance = to as i32 - (self.at as i32 + 2);
        self.add(&[code, i8::try_from(distance).expect("a stub is short").cast_unsigned()]);
    }
}

/// The stub that these bytes at the address `at` are.
pub(super) fn recognise(at: u64, bytes: &[u8; SIZE], key: u64) -> Option<Stub> {
    let word = |range: Range<usize>| bytes[range].try_into().map(i32::from_le_bytes).ok();
    let distance = i64::from(word(AFTER + 1..SIZE)?).cast_unsigned();
    let after = (at + SIZE as u64).wrapping_add(distance);
    let call = i64::from(word(EXCHANGED + 1..2 * EXCHANGED)?);
    let site = Site { call, before: bytes[..EXCHANGED].try_into().ok()? };
    stub(at, after, &site, key).filter(|stub| stub.bytes == *bytes)
}

impl Stub {
    /// Where a task goes on that has faulted at this offset: its call is asked about, and it is the kernel that fails it.
    /// With what is to be added to its stack pointer; `None` if nothing can fault there.
    pub(super) fn after_fault(&self, offset: usize) -> Option<(usize, u64)> {
        match offset {
            _ if offset == self.load => Some((PLAIN, 0)),
            _ if offset == self.store => Some((PLAIN, u64::from(BELOW.unsigned_abs()))),
            _ => None,
        }
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

    #[test]
    fn a_stub_is_known_by_all_of_its_bytes_and_its_place() {
        for call in [abi::SYS_readlink, abi::SYS_open, abi::SYS_openat, abi::SYS_newfstatat] {
            let site = site(call, MOV_EAX, call as i32).unwrap();
            let stub = stub(AT, AFTER, &site, KEY).unwrap();
            assert!(recognise(AT, &stub.bytes, KEY).is_some());
            assert!(recognise(AT, &stub.bytes, KEY + 1).is_none());
            for at in 0..SIZE {
                let mut bytes = stub.bytes;
                bytes[at] ^= 1;
                // Some bytes say which site it is for: then it is a stub, for another one.
                let other = recognise(AT, &bytes, KEY);
                assert!(other.is_none_or(|other| other.bytes == bytes), "{at}");
            }
            let found = (0..SIZE).filter(|at| stub.after_fault(*at).is_some()).count();
            assert_eq!(found, 2);
        }
    }

    #[test]
    fn a_site_and_its_stub_jump_to_each_other() {
        let site = site(abi::SYS_access, MOV_EAX, abi::SYS_access as i32).unwrap();
        let stub = stub(AT, AFTER, &site, KEY).unwrap();
        let target = |from: u64, code: &[u8]| {
            assert_eq!(code[0], JMP);
            let distance = i32::from_le_bytes(code[1..5].try_into().unwrap());
            from.wrapping_add(5).wrapping_add_signed(i64::from(distance))
        };
        assert_eq!(target(stub.site, &stub.jump), AT);
        assert_eq!(target(AT + super::AFTER as u64, &stub.bytes[super::AFTER..]), AFTER);
        // Too far.
        assert!(super::stub(AT + (1 << 31), AFTER, &site, KEY).is_none());
    }
}
