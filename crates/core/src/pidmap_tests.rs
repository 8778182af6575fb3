//! The pid map against the rows NUM-06..09, TID-03, TID-07, SYS-01, and against a plain `BTreeMap`.

use super::*;
use alloc::collections::BTreeMap;

const MAX: u32 = PID_MAX_LIMIT;

fn pid(slot: u32) -> u32 {
    slot
}

// NUM-06
#[test]
fn numbers_start_at_one_and_go_up_by_one() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    for expected in 1..200 {
        assert_eq!(map.alloc(&mut arena, MAX, pid(0)), Ok(expected));
    }
}

// NUM-07
#[test]
fn a_freed_number_is_not_reused_until_the_cursor_comes_round() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    for _ in 0..3 {
        map.alloc(&mut arena, MAX, pid(0)).unwrap();
    }
    map.remove(&mut arena, 2);
    map.remove(&mut arena, 3);
    assert_eq!(map.alloc(&mut arena, MAX, pid(0)), Ok(4));
}

// NUM-08
#[test]
fn after_pid_max_the_search_wraps_to_300() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    for _ in 1..400 {
        map.alloc(&mut arena, 400, pid(0)).unwrap();
    }
    map.remove(&mut arena, 5);
    map.remove(&mut arena, 310);
    assert_eq!(map.alloc(&mut arena, 400, pid(0)), Ok(310));
}

// NUM-09
#[test]
fn with_pid_max_400_exactly_100_numbers_fit_although_low_ones_are_free() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    map.alloc(&mut arena, 400, pid(0)).unwrap();
    map.set_last(399);
    for expected in 300..400 {
        assert_eq!(map.alloc(&mut arena, 400, pid(0)), Ok(expected));
    }
    assert_eq!(map.alloc(&mut arena, 400, pid(0)), Err(Errno::EAGAIN));
    map.remove(&mut arena, 350);
    assert_eq!(map.alloc(&mut arena, 400, pid(0)), Ok(350));
}

// TID-03 TID-07
#[test]
fn a_requested_number_is_taken_once_and_does_not_move_the_cursor() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    map.alloc(&mut arena, MAX, pid(0)).unwrap();
    assert_eq!(map.insert(&mut arena, 70, pid(1)), Ok(()));
    assert_eq!(map.insert(&mut arena, 70, pid(2)), Err(Errno::EEXIST));
    assert_eq!(map.get(&arena, 70), Some(pid(1)));
    assert_eq!(map.alloc(&mut arena, MAX, pid(0)), Ok(2));
}

// SYS-01
#[test]
fn writing_the_last_number_makes_the_next_one_come_after_it() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    map.alloc(&mut arena, MAX, pid(0)).unwrap();
    assert_eq!(map.last(), 1);
    map.set_last(1000);
    assert_eq!(map.alloc(&mut arena, MAX, pid(0)), Ok(1001));
    map.set_last(1);
    assert_eq!(map.alloc(&mut arena, MAX, pid(0)), Ok(2));
}

#[test]
fn a_cleared_map_holds_no_node() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    for number in [1, 64, 4096, 262_144, MAX - 1] {
        map.insert(&mut arena, number, pid(number)).unwrap();
    }
    for number in [64, 1, MAX - 1, 4096, 262_144] {
        map.remove(&mut arena, number);
    }
    assert_eq!(
        (arena.nodes.in_use(), arena.leaves.in_use()),
        (3, 1),
        "one spare leaf and what is above it"
    );
    map.clear(&mut arena);
    assert_eq!((arena.nodes.in_use(), arena.leaves.in_use()), (0, 0));
}

#[test]
fn without_memory_for_a_node_nothing_changes() {
    for (nodes, leaves) in [(true, false), (false, true)] {
        let (mut map, mut arena) = (PidMap::new(), MapArena::new());
        map.insert(&mut arena, 1, pid(1)).unwrap();
        let before = (arena.nodes.in_use(), arena.leaves.in_use());
        arena.nodes.deny(nodes);
        arena.leaves.deny(leaves);
        assert_eq!(map.insert(&mut arena, MAX - 1, pid(2)), Err(Errno::ENOMEM));
        assert_eq!((arena.nodes.in_use(), arena.leaves.in_use()), before);
        assert_eq!(map.next(&arena, 2), None);
    }
}

#[test]
fn one_hole_in_a_full_map_is_found_from_anywhere() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    let max = 1 << 16;
    for _ in 1..max {
        map.alloc(&mut arena, max, pid(0)).unwrap();
    }
    for hole in [300, 4095, 4096, 40_000, max - 1] {
        map.remove(&mut arena, hole);
        assert_eq!(map.alloc(&mut arena, max, pid(0)), Ok(hole));
        assert_eq!(map.alloc(&mut arena, max, pid(0)), Err(Errno::EAGAIN));
    }
}

#[test]
fn lookups_and_next_agree_with_an_ordered_map() {
    let (mut map, mut arena) = (PidMap::new(), MapArena::new());
    let mut model = BTreeMap::new();
    let mut seed = 1u64;
    for step in 0..40_000u32 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = ((seed >> 33) as u32) >> ((seed >> 20) % 10) & (MAX - 1);
        match (model.contains_key(&number), seed >> 60 < 8) {
            (false, _) => {
                map.insert(&mut arena, number, pid(step)).unwrap();
                model.insert(number, pid(step));
            }
            (true, true) => {
                map.remove(&mut arena, number);
                model.remove(&number);
            }
            (true, false) => {
                assert_eq!(map.insert(&mut arena, number, pid(step)), Err(Errno::EEXIST))
            }
        }
        let probe = (seed >> 11) as u32 & (MAX - 1);
        assert_eq!(map.get(&arena, number), model.get(&number).copied());
        assert_eq!(map.next(&arena, probe), model.range(probe..).next().map(|(&n, &p)| (n, p)));
        let free = (number..MAX).find(|n| !model.contains_key(n));
        assert_eq!(map.first(&arena, number, Wanted::Free), free);
    }
}
