//! A room that is served turn by turn, as the database would: whatever owners do, the promises of the module hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{STEP, Turns};

/// One workflow that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    turn: i64,
    id: usize,
    owner: u8,
}

/// One room, where so many run at once.
#[derive(Default)]
struct Room {
    waiting: Vec<Entry>,
    running: Vec<Entry>,
    made: usize,
}

impl Room {
    fn add(&mut self, owner: u8, count: usize) {
        let live = || self.waiting.iter().chain(&self.running);
        let mut turn = Turns {
            waiting: self.waiting.iter().map(|entry| entry.turn).min(),
            highest: live().map(|entry| entry.turn).max(),
            own: live().filter(|entry| entry.owner == owner).map(|entry| entry.turn).max(),
        }
        .next();
        for _ in 0..count {
            self.waiting.push(Entry { turn, id: self.made, owner });
            self.made += 1;
            turn += STEP;
        }
    }

    /// Gives out the one whose turn it is.
    fn begin(&mut self) -> Option<Entry> {
        let next = (0..self.waiting.len()).min_by_key(|at| (self.waiting[*at].turn, self.waiting[*at].id))?;
        let entry = self.waiting.swap_remove(next);
        self.running.push(entry);
        Some(entry)
    }

    /// Ends one that runs, not always the oldest.
    fn end(&mut self, which: usize) -> Option<Entry> {
        (!self.running.is_empty()).then(|| self.running.swap_remove(which % self.running.len()))
    }

    /// Owners of the next ones.
    fn next_owners(&mut self, count: usize) -> Vec<u8> {
        (0..count).filter_map(|_| self.begin()).map(|entry| entry.owner).collect()
    }
}

#[test]
fn a_few_do_not_wait_behind_many() {
    let mut room = Room::default();
    room.add(1, 200);
    room.next_owners(10);
    room.add(2, 2);
    assert_eq!(room.next_owners(4), [1, 2, 1, 2], "the current turn ends, and then the few are next");
    room.add(3, 1);
    assert_eq!(room.next_owners(2), [1, 3]);
}

#[test]
fn nobody_gains_by_asking_in_small_portions() {
    let mut room = Room::default();
    room.add(1, 50);
    (0..50).for_each(|_| room.add(2, 1));
    let first = room.next_owners(40);
    assert!((19..=21).contains(&first.iter().map(|owner| usize::from(*owner == 2)).sum::<usize>()), "{first:?}");
}

#[test]
fn after_idling_all_begin_alike() {
    let mut room = Room::default();
    room.add(1, 100);
    while room.begin().is_some() {
        room.end(0);
    }
    room.add(1, 3);
    room.add(2, 3);
    assert_eq!(room.next_owners(6), [1, 2, 1, 2, 1, 2]);
}

proptest! {
    /// Owners who always have something waiting are served alike, however long the others' queues are.
    #[test]
    fn owners_who_always_wait_are_served_alike(
        queues in prop::collection::vec(20_usize..60, 2..6),
        room_for in 1_usize..5,
        ends in prop::collection::vec(any::<usize>(), 40),
    ) {
        let mut room = Room::default();
        for (owner, count) in (0..).zip(&queues) {
            room.add(owner, *count);
        }
        let mut served = BTreeMap::<u8, i32>::new();
        for end in ends.iter().take(20) {
            while room.running.len() < room_for {
                *served.entry(room.begin().unwrap().owner).or_default() += 1;
            }
            room.end(*end);
        }
        let counts: Vec<_> = (0..).take(queues.len()).map(|owner| served.get(&owner).copied().unwrap_or(0)).collect();
        let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
        prop_assert!(spread <= 1, "{counts:?}");
    }

    /// Whatever others add while one waits, each of them passes it only so often.
    #[test]
    fn nobody_starves(
        ahead in 0_usize..20,
        room_for in 1_usize..4,
        steps in prop::collection::vec((0_u8..4, 1_usize..4, any::<usize>()), 400),
    ) {
        let mut room = Room::default();
        room.add(9, ahead + 1);
        let patient = ahead; // the id of the owner's last
        let mut passed = 0;
        let mut served = false;
        for (owner, count, end) in steps {
            // Those who were served come back at once, the worst that can happen: before anything else is given out.
            room.add(owner, count);
            if room.running.len() == room_for {
                room.end(end);
            }
            if let Some(entry) = room.begin() {
                if entry.id == patient {
                    served = true;
                    break;
                }
                passed += 1;
            }
        }
        // Each of the four has one at each turn, at most, and there are STEP turns to each of the patient one's.
        let bound = (ahead + 1) + 4 * (ahead + 1) * usize::try_from(STEP).unwrap() + 4;
        prop_assert!(served || passed <= bound, "passed {passed} times, more than {bound}");
        prop_assert!(passed <= bound, "passed {passed} times, more than {bound}");
    }

    /// What is added never gets the current turn, nor one below it.
    #[test]
    fn the_current_turn_only_rises_while_something_waits(steps in prop::collection::vec((0_u8..5, 0_usize..4, any::<usize>()), 1..200)) {
        let mut room = Room::default();
        let mut current = None;
        for (owner, count, end) in steps {
            room.add(owner, count);
            let now = room.waiting.iter().map(|entry| entry.turn).min();
            if let (Some(before), Some(now)) = (current, now) {
                prop_assert!(now >= before);
            }
            room.begin();
            room.end(end);
            current = room.waiting.iter().map(|entry| entry.turn).min();
        }
    }
}
