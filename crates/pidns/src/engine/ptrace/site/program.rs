//! What a process runs: not every program makes its calls from the same places of the C library.

use pidns_sys::ptrace::{self, Tid};

use super::room::PAGE;

/// Tells programs apart, mostly: how far the first instruction is from the headers, and how many of these there are. All that
/// are taken for one get stubs at the same places, needed or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Program(u64, u64);

impl Program {
    /// That of a process that has not executed an instruction yet: its stack ends with what the kernel tells the program.
    /// See getauxval(3).
    pub(super) fn begun(tid: Tid, stack: u64) -> Self {
        let mut bytes = [0; PAGE];
        let read = ptrace::read_memory(tid, stack, &mut bytes).unwrap_or(0);
        let (words, _) = bytes[..read].as_chunks::<8>();
        Self::told(words.iter().map(|word| u64::from_le_bytes(*word))).unwrap_or_default()
    }

    /// `None` if so many arguments and variables come first that it is not there.
    fn told(mut stack: impl Iterator<Item = u64>) -> Option<Self> {
        const AT_PHDR: u64 = 3;
        const AT_PHNUM: u64 = 5;
        const AT_ENTRY: u64 = 9;
        let arguments = usize::try_from(stack.next()?).ok()?;
        let variables = stack.skip(arguments.checked_add(1)?);
        let mut told = variables.skip_while(|variable| *variable != 0).skip(1);
        let (mut headers, mut count, mut entry) = (None, None, None);
        while let (Some(kind), Some(value)) = (told.next(), told.next()) {
            match kind {
                AT_PHDR => headers = Some(value),
                AT_PHNUM => count = Some(value),
                AT_ENTRY => entry = Some(value),
                _ => {}
            }
        }
        Some(Self(entry?.wrapping_sub(headers?), count?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_wherever_it_is_loaded_and_whatever_its_arguments() {
        let at = |base: u64, arguments: &[u64], variables: &[u64]| {
            let start = [arguments.len() as u64];
            let told = [3, base + 64, 4, 56, 5, 13, 9, base + 0x1000, 0, 0];
            let parts = [&start, arguments, &[0], variables, &[0], &told];
            Program::told(parts.concat().into_iter())
        };
        let program = at(0x5000, &[1, 2], &[3]);
        assert!(program.is_some());
        assert_eq!(program, at(0x9000, &[5], &[6, 7]));
        assert_eq!(Program::told([3, 1, 2].into_iter()), None);
        assert_eq!(Program::told([u64::MAX].into_iter()), None);
    }
}
