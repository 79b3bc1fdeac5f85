//! The line of those who wait for appliances: whose seat is next, and who has which place.
//!
//! A pool has as many seats in the line as it waits for appliances. Interactive ones go before batch ones; what has waited for [`AS_INTERACTIVE`]
//! goes as if interactive, so that nobody waits for ever. Among those the owner goes first who has least under way for their weight, counting
//! what they were just given; then who has waited longest, then who asked first. Within one owner, the older pool goes first.
//!
//! A pool that nothing can be done for now is passed and holds nobody up: those behind it are served with what it cannot use.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Duration,
};

use crate::{PoolId, Timestamp, UserId, lease, pool::Priority};

/// After this time a batch request goes as if it were interactive.
pub const AS_INTERACTIVE: Duration = Duration::from_secs(15 * 60);

/// A pool that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The pool.
    pub pool: PoolId,
    /// Whose it is.
    pub owner: UserId,
    /// Share of the owner; at least 1.
    pub weight: u32,
    /// Who goes first.
    pub priority: Priority,
    /// Since when it waits.
    pub since: Timestamp,
    /// Appliances it waits for.
    pub seats: u32,
}

/// Where a pool is in the line; 1 is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Of its next seat.
    pub first: u32,
    /// Of its last seat.
    pub last: u32,
}

/// What an owner has under way, for their weight: compared without rounding.
#[derive(Debug, Clone, Copy)]
struct Share {
    under_way: u64,
    weight: u64,
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let across = |a: &Self, b: &Self| u128::from(a.under_way) * u128::from(b.weight);
        across(self, other).cmp(&across(other, self))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Share {}

/// What decides between the heads of two owners; lower goes first.
type Rank = (Share, Timestamp, PoolId, UserId);

/// The pools of one owner in one class, the next one first.
type Owned = BTreeMap<UserId, VecDeque<Waiting>>;

/// The line, consumed from its head.
#[derive(Debug)]
pub struct Line {
    /// Those who go first, and those after them.
    classes: [Owned; 2],
    /// Which of them is being served.
    class: usize,
    /// Heads of its owners. An entry whose rank is no longer true is ranked anew when it comes up.
    heads: BinaryHeap<Reverse<Rank>>,
    shares: BTreeMap<UserId, Share>,
}

impl Line {
    /// The line at this moment. `under_way` says how many appliances of each owner are being deployed.
    pub fn new(now: Timestamp, waiting: &[Waiting], under_way: &BTreeMap<UserId, u32>) -> Self {
        let mut sorted: Vec<_> = waiting.iter().filter(|pool| pool.seats > 0).copied().collect();
        sorted.sort_unstable_by_key(|pool| (pool.since, pool.pool));
        let (mut classes, mut shares) = (<[Owned; 2]>::default(), BTreeMap::new());
        for pool in sorted {
            let share = || Share {
                under_way: under_way.get(&pool.owner).copied().unwrap_or_default().into(),
                weight: pool.weight.max(1).into(),
            };
            shares.entry(pool.owner).or_insert_with(share);
            classes[class(now, &pool)].entry(pool.owner).or_default().push_back(pool);
        }
        let mut line = Self { classes, class: 0, heads: BinaryHeap::new(), shares };
        line.rank_heads();
        line
    }

    /// Whose seat is next; none: nobody's.
    pub fn pop(&mut self) -> Option<Waiting> {
        loop {
            let Some(Reverse(head)) = self.heads.peek().copied() else {
                if self.class + 1 == self.classes.len() {
                    return None;
                }
                self.class += 1;
                self.rank_heads();
                continue;
            };
            let (.., owner) = head;
            match self.rank(owner) {
                Some(rank) if rank == head => return self.head(owner).copied(),
                Some(rank) => {
                    self.heads.pop();
                    self.heads.push(Reverse(rank));
                }
                None => drop(self.heads.pop()),
            }
        }
    }

    /// The next seat got its appliance.
    pub fn serve(&mut self) {
        let Some(Waiting { owner, .. }) = self.pop() else { return };
        if let Some(share) = self.shares.get_mut(&owner) {
            share.under_way += 1;
        }
        if let Some(pools) = self.classes[self.class].get_mut(&owner)
            && let Some(head) = pools.front_mut()
        {
            head.seats -= 1;
            if head.seats == 0 {
                pools.pop_front();
            }
        }
    }

    /// Nothing can be done for the pool of the next seat: it leaves the line with all its seats.
    pub fn pass(&mut self) {
        let Some(Waiting { owner, .. }) = self.pop() else { return };
        if let Some(pools) = self.classes[self.class].get_mut(&owner) {
            pools.pop_front();
        }
    }

    /// The places of all, if each is served in turn. Consumes the line.
    pub fn places(mut self) -> BTreeMap<PoolId, Place> {
        let mut places = BTreeMap::new();
        let mut number = 0;
        while let Some(next) = self.pop() {
            number += 1;
            places.entry(next.pool).or_insert(Place { first: number, last: number }).last = number;
            self.serve();
        }
        places
    }

    fn rank_heads(&mut self) {
        let owners = self.classes[self.class].keys();
        self.heads = owners.filter_map(|owner| self.rank(*owner).map(Reverse)).collect();
    }

    fn head(&self, owner: UserId) -> Option<&Waiting> {
        self.classes[self.class].get(&owner)?.front()
    }

    fn rank(&self, owner: UserId) -> Option<Rank> {
        let head = self.head(owner)?;
        Some((*self.shares.get(&owner)?, head.since, head.pool, owner))
    }
}

/// 0 for those who go first.
fn class(now: Timestamp, pool: &Waiting) -> usize {
    let is_batch = pool.priority == Priority::Batch && pool.since > lease::begin(now, AS_INTERACTIVE);
    usize::from(is_batch)
}

#[cfg(test)]
mod tests;
