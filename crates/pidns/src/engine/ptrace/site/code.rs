//! Machine code in the making: what the stubs are put together from.

use super::stub::SIZE;

/// `syscall`.
pub(super) const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// A `mov` of a number to a 32-bit register, or a `jmp`: the length of what is exchanged at a site.
pub(super) const EXCHANGED: usize = 5;

const JMP: u8 = 0xe9;
pub(super) const MOV_EAX: u8 = 0xb8;
pub(super) const JMP_SHORT: u8 = 0xeb;
pub(super) const JB: u8 = 0x72;
pub(super) const JE: u8 = 0x74;
pub(super) const JNE: u8 = 0x75;
pub(super) const JLE: u8 = 0x7e;
/// `jrcxz`.
pub(super) const RCX_IS_ZERO: u8 = 0xe3;
pub(super) const NOP: u8 = 0x90;
/// `int3`.
const TRAP: u8 = 0xcc;

/// What a function may keep below its stack.
pub(super) const RED_ZONE: u8 = 128;
/// Below this nothing is mapped.
const LOWEST: u32 = 4096;

/// A stub that grows.
pub(super) struct Code {
    pub(super) bytes: [u8; SIZE],
    pub(super) at: usize,
    /// What may fault, and how far the stack has been moved then.
    pub(super) faults: Vec<(usize, u8)>,
    /// Where it ended when it last entered the kernel.
    pub(super) entered: usize,
}

impl Code {
    pub(super) fn new() -> Self {
        Self { bytes: [TRAP; SIZE], at: 0, faults: Vec::new(), entered: 0 }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// What comes next is there.
    pub(super) fn finish(&mut self, at: usize) {
        assert!(self.at <= at, "a stub has room for it");
        self.at = at;
    }

    /// A short jump, conditional or not.
    pub(super) fn branch(&mut self, code: u8, to: usize) {
        let distance = to as i32 - (self.at as i32 + 2);
        self.add(&[code, i8::try_from(distance).expect("a stub is short").cast_unsigned()]);
    }

    /// Goes there unless `rcx` can be an address.
    pub(super) fn check_address(&mut self, otherwise: usize) {
        self.add(&[0x48, 0x81, 0xf9]); // cmp rcx, ..
        self.add(&LOWEST.to_le_bytes());
        self.branch(JB, otherwise);
    }

    /// What comes next reads where a pointer leads.
    pub(super) fn may_fault(&mut self) {
        self.may_fault_after(0);
    }

    /// What comes next may fault, with the stack moved so far.
    pub(super) fn may_fault_after(&mut self, moved: u8) {
        self.faults.push((self.at, moved));
    }

    /// Enters the kernel with the key.
    pub(super) fn enter_with(&mut self, key: u64) {
        self.add(&[0x49, 0xb9]); // mov r9, ..
        self.add(&key.to_le_bytes());
        self.add(&SYSCALL);
        self.entered = self.at;
    }

    /// Makes the call with the key.
    pub(super) fn call_with(&mut self, call: i32, key: u64) {
        self.set_call(call);
        self.add(&[0x48, 0x83, 0xc4, RED_ZONE]); // add rsp, -128
        self.may_fault_after(RED_ZONE);
        self.add(&[0x41, 0x51]); // push r9
        self.enter_with(key);
        self.add(&[0x41, 0x59]); // pop r9
        self.add(&[0x48, 0x83, 0xec, RED_ZONE]); // sub rsp, -128
    }

    /// `eax` was used for something else.
    pub(super) fn set_call(&mut self, call: i32) {
        self.add(&[MOV_EAX]);
        self.add(&call.to_le_bytes());
    }
}

/// A jump from one address to another; `None` if that is too far.
pub(super) fn jump(from: u64, to: u64) -> Option<[u8; EXCHANGED]> {
    let distance = to.wrapping_sub(from.wrapping_add(EXCHANGED as u64)).cast_signed();
    let [a, b, c, d] = i32::try_from(distance).ok()?.to_le_bytes();
    Some([JMP, a, b, c, d])
}
