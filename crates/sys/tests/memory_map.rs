//! Mappings of the own process.

use std::fs::File;

use pidns_sys::memory_map::{Kind, code_from};
use pidns_sys::{Errno, system};

#[test]
fn code_is_found_by_an_address_in_it_and_before_it() {
    let maps = File::open("/proc/self/maps").unwrap();
    let here = code_is_found_by_an_address_in_it_and_before_it as fn() as usize as u64;
    let code = match code_from(&maps, here) {
        Err(Errno::NOTTY | Errno::INVAL) => {
            println!("skipped: Linux {} cannot be asked about mappings", system::name().release);
            return;
        }
        code => code.unwrap(),
    };
    assert!(code.range.contains(&here));
    assert_eq!(code.kind, Kind::READABLE | Kind::EXECUTABLE);
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = format!("{:x}-{:x} r-xp {:08x}", code.range.start, code.range.end, code.offset);
    assert!(text.lines().any(|found| found.starts_with(&line)), "{line} in {text}");
    assert_eq!(code_from(&maps, code.range.start - 1).unwrap().range, code.range);
    assert_eq!(code_from(&maps, u64::MAX - 4096).err(), Some(Errno::NOENT));
}
