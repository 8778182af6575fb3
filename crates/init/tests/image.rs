//! What the image is: a small static program without variables, without a way to panic, and with little memory.

mod support;

use std::fs;

use pidns_init::IMAGE;
use support::entry;

/// A number of the ELF file, `N` bytes at `offset`: elf(5).
fn number<const N: usize>(offset: usize) -> u64 {
    let mut bytes = [0; 8];
    let field = &IMAGE[offset..offset + N];
    if cfg!(target_endian = "little") {
        bytes[..N].copy_from_slice(field)
    } else {
        bytes[8 - N..].copy_from_slice(field)
    }
    u64::from_ne_bytes(bytes)
}

/// The program headers: type, flags, size in the file, size in memory.
fn segments() -> Vec<(u64, u64, u64, u64)> {
    let (start, size, count) = (number::<8>(32), number::<2>(54), number::<2>(56));
    (0..count)
        .map(|index| (start + index * size) as usize)
        .map(|at| {
            (number::<4>(at), number::<4>(at + 4), number::<8>(at + 32), number::<8>(at + 40))
        })
        .collect()
}

#[test]
fn it_is_a_static_executable_in_one_piece_that_is_never_written_to() {
    const EXECUTABLE: u64 = 2;
    const LOAD: u64 = 1;
    const STACK: u64 = 0x6474_e551;
    assert_eq!(&IMAGE[..4], b"\x7fELF");
    assert_eq!(number::<2>(16), EXECUTABLE);
    // Read and execute, nothing that the file does not have; a stack that is not to be executed. No interpreter.
    let (read_execute, read_write) = (5, 6);
    match segments()[..] {
        [(LOAD, flags, in_file, in_memory), (STACK, stack_flags, ..)] => {
            assert_eq!((flags, stack_flags), (read_execute, read_write));
            assert_eq!(in_file, in_memory);
            assert!(in_file <= IMAGE.len() as u64);
        }
        ref others => panic!("{others:x?}"),
    }
}

#[test]
fn it_is_small() {
    assert!(IMAGE.len() <= 32 * 1024, "{} bytes", IMAGE.len());
}

#[test]
fn it_has_no_way_to_panic() {
    let contains = |text: &[u8]| IMAGE.windows(text.len()).any(|window| window == text);
    // Texts are found if they are there.
    assert!(contains(b"no such file or directory"));
    // What the panic handler would say; the linker has left it out, because nothing calls it.
    for text in [&b"panicked"[..], b"panicking", b"overflow", b"unwrap", b"out of range", b".rs"] {
        assert!(!contains(text), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn it_is_the_file_that_the_build_script_has_made() {
    assert_eq!(fs::read(support::image()).unwrap(), IMAGE);
}

#[test]
fn it_needs_little_memory() {
    for init in entry::all() {
        let running = init.start(&["-s", "--", "sh", "-c", "echo ready; exec cat"]);
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        println!("{}: {kilobytes} kB resident", init.name);
        if init.name == "pidns-init" {
            assert!(kilobytes <= 100, "{kilobytes} kB");
        }
    }
}
