use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(second)
}

fn waiting(pool: i64, owner: i64, seats: u32) -> Waiting {
    Waiting {
        pool: PoolId(pool),
        owner: UserId(owner),
        weight: 1,
        priority: Priority::Interactive,
        since: at(pool),
        seats,
    }
}

fn batch(pool: i64, owner: i64, seats: u32) -> Waiting {
    Waiting { priority: Priority::Batch, ..waiting(pool, owner, seats) }
}

/// Pools in the order in which their seats are served.
fn served(now: i64, pools: &[Waiting]) -> Vec<i64> {
    let mut line = Line::new(at(now), pools, &BTreeMap::new());
    let mut order = Vec::new();
    while let Some(next) = line.pop() {
        order.push(next.pool.0);
        line.serve();
    }
    order
}

#[test]
fn interactive_requests_are_next_and_batch_ones_are_not_starved() {
    let order = served(10, &[batch(1, 1, 200), waiting(2, 2, 2)]);
    assert_eq!(order[..3], [2, 2, 1]);
    assert_eq!(order.len(), 202);
    // After a quarter of an hour it has its turns among those that come then.
    let order = served(1000, &[batch(1, 1, 200), waiting(990, 2, 2), waiting(991, 3, 2)]);
    assert_eq!(order[..6], [1, 990, 991, 1, 990, 991]);
}

#[test]
fn owners_take_turns_by_weight_and_by_what_they_have_under_way() {
    assert_eq!(served(10, &[waiting(1, 1, 3), waiting(2, 2, 3)]), [1, 2, 1, 2, 1, 2]);
    let heavy = Waiting { weight: 2, ..waiting(2, 2, 4) };
    assert_eq!(served(10, &[waiting(1, 1, 2), heavy]), [1, 2, 2, 1, 2, 2]);
    let line = Line::new(at(10), &[waiting(1, 1, 1), waiting(2, 2, 1)], &[(UserId(1), 1)].into());
    assert_eq!(line.places()[&PoolId(2)].first, 1);
}

#[test]
fn who_is_passed_holds_nobody_up() {
    let mut line = Line::new(at(10), &[waiting(1, 1, 5), waiting(2, 1, 1), waiting(3, 2, 1)], &BTreeMap::new());
    line.pass();
    let mut order = Vec::new();
    while let Some(next) = line.pop() {
        order.push(next.pool.0);
        line.serve();
    }
    assert_eq!(order, [2, 3]);
    line.pass();
    line.serve();
    assert_eq!(line.pop(), None);
}

prop_compose! {
    fn any_waiting()(pools in prop::collection::vec((0..4_i64, 1..4_u32, any::<bool>(), 0..1200_i64, 1..6_u32), 1..12))
        -> Vec<Waiting> {
        let weights: BTreeMap<i64, u32> = pools.iter().map(|(owner, weight, ..)| (*owner, *weight)).collect();
        (1..).zip(pools).map(|(id, (owner, _, is_batch, since, seats))| Waiting {
            weight: weights[&owner],
            priority: if is_batch { Priority::Batch } else { Priority::Interactive },
            since: at(since),
            ..waiting(id, owner, seats)
        }).collect()
    }
}

fn places(pools: &[Waiting], under_way: &BTreeMap<UserId, u32>) -> BTreeMap<PoolId, Place> {
    Line::new(at(1200), pools, under_way).places()
}

proptest! {
    #[test]
    fn every_seat_has_its_place(pools in any_waiting(), first in 0..5_u32) {
        let under_way = [(UserId(1), first)].into();
        let mut line = Line::new(at(1200), &pools, &under_way);
        let mut count = 0;
        while line.pop().is_some() {
            line.serve();
            count += 1;
        }
        prop_assert_eq!(count, pools.iter().map(|pool| pool.seats).sum::<u32>());
        let places = places(&pools, &under_way);
        prop_assert_eq!(places.len(), pools.len());
        let mut firsts: Vec<_> = places.values().map(|place| place.first).collect();
        firsts.sort_unstable();
        prop_assert_eq!(firsts[0], 1);
        firsts.dedup();
        prop_assert_eq!(firsts.len(), pools.len());
        prop_assert!(places.values().all(|place| place.first <= place.last && place.last <= count));
    }

    #[test]
    fn nobody_is_later_for_that_another_left(pools in any_waiting(), leaves in 0..12_usize, first in 0..5_u32) {
        let under_way = [(UserId(1), first)].into();
        let before = places(&pools, &under_way);
        let mut rest = pools.clone();
        rest.remove(leaves % pools.len());
        for (pool, place) in places(&rest, &under_way) {
            prop_assert!(place.first <= before[&pool].first, "{pool}: {place:?} after {:?}", before[&pool]);
        }
    }

    #[test]
    fn who_comes_later_with_batch_work_delays_nobody_who_is_interactive(pools in any_waiting(), owner in 0..4_i64) {
        let before = places(&pools, &BTreeMap::new());
        let weight = pools.iter().find(|pool| pool.owner == UserId(owner)).map_or(1, |pool| pool.weight);
        let late = Waiting { weight, since: at(1200), ..batch(99, owner, 200) };
        let after = places(&[pools.clone(), vec![late]].concat(), &BTreeMap::new());
        for pool in pools.iter().filter(|pool| class(at(1200), pool) == 0) {
            prop_assert_eq!(before[&pool.pool], after[&pool.pool]);
        }
    }

    #[test]
    fn while_some_are_served_again_and_again_nobody_waits_for_ever(pools in any_waiting(), seats in 1..6_u32) {
        // Each round one seat is served, and a new interactive pool of each of two others comes. All that is there is served in the end.
        let mut there: Vec<Waiting> = pools.clone();
        let mut now = 1200;
        let mut given: VecDeque<UserId> = VecDeque::new();
        let mut next_id = 1000;
        // Long enough for the last batch pool to go as if interactive, and for all that came before it.
        for _ in 0..2000 {
            now += 1;
            let mut under_way: BTreeMap<UserId, u32> = BTreeMap::new();
            for owner in &given {
                *under_way.entry(*owner).or_default() += 1;
            }
            let Some(next) = Line::new(at(now), &there, &under_way).pop() else { break };
            if let Some(pool) = there.iter_mut().find(|pool| pool.pool == next.pool) {
                pool.seats -= 1;
            }
            // What was given longest ago is ready.
            given.push_back(next.owner);
            if given.len() > 8 {
                given.pop_front();
            }
            there.retain(|pool| pool.seats > 0);
            if there.len() < 8 {
                next_id += 1;
                there.push(Waiting { since: at(now), ..waiting(next_id, 10 + next_id % 2, seats) });
            }
        }
        prop_assert!(there.iter().all(|pool| pool.pool.0 >= 1000), "{there:?}");
    }
}
