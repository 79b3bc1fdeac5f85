//! What a user may have at most.

use crate::{Error, Reason, Result};

/// Weights there are.
const WEIGHTS: std::ops::RangeInclusive<u32> = 1..=100;

/// What a user may have at most; none: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Appliances in one pool.
    pub appliances_per_pool: Option<u32>,
    /// Pools that have not ended.
    pub pools: Option<u32>,
    /// Appliances wanted by all of them.
    pub appliances: Option<u32>,
    /// Share of free slots compared to others, where requests wait: 1 to 100.
    pub weight: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self { appliances_per_pool: None, pools: None, appliances: None, weight: *WEIGHTS.start() }
    }
}

/// What a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaUse {
    /// Pools that have not ended.
    pub pools: u32,
    /// Appliances wanted by them.
    pub appliances: u32,
}

impl Quota {
    /// Checks what is to be set.
    pub fn check(&self) -> Result<()> {
        if WEIGHTS.contains(&self.weight) {
            return Ok(());
        }
        Err(Error::invalid("quota.weight", format!("a weight of {} is none; it is from 1 to 100", self.weight)))
    }

    /// Whether it depends on what the user has already; if not, that need not be counted.
    pub fn is_counted(&self) -> bool {
        self.pools.is_some() || self.appliances.is_some()
    }

    /// Whether someone who has this much may have one more pool, of so many appliances.
    pub fn allows_pool(&self, used: QuotaUse, count: u32) -> Result<()> {
        let per_pool = self.appliances_per_pool.filter(|limit| count > *limit);
        if let Some(limit) = per_pool {
            let message = format!("a pool of yours has at most {limit} appliances, not {count}; ask for fewer");
            return Err(exceeded("appliances_per_pool", limit, 0, message));
        }
        self.allows(used, QuotaUse { pools: 1, appliances: count })
    }

    /// Whether someone who has this much may have so much more.
    pub fn allows(&self, used: QuotaUse, more: QuotaUse) -> Result<()> {
        let too_many = |limit: Option<u32>, used: u32, more: u32| {
            limit.filter(|limit| u64::from(used) + u64::from(more) > u64::from(*limit))
        };
        if let Some(limit) = too_many(self.pools, used.pools, more.pools) {
            let message = format!("you have {} pools of at most {limit}; kill one that you need no longer", used.pools);
            return Err(exceeded("pools", limit, used.pools, message));
        }
        if let Some(limit) = too_many(self.appliances, used.appliances, more.appliances) {
            let message = format!(
                "you have {} appliances of at most {limit}, and cannot have {} more; kill what you need no longer, or ask for fewer",
                used.appliances, more.appliances
            );
            return Err(exceeded("appliances", limit, used.appliances, message));
        }
        Ok(())
    }
}

fn exceeded(quota: &'static str, limit: u32, used: u32, message: String) -> Error {
    Error::new(Reason::QuotaExceeded, message)
        .with("quota", quota)
        .with("limit", limit.to_string())
        .with("used", used.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small numbers and the largest: all that matters is which side of a limit they are on.
    const NUMBERS: [u32; 5] = [0, 1, 2, 3, u32::MAX];

    fn limits() -> impl Iterator<Item = Option<u32>> + Clone {
        NUMBERS.into_iter().map(Some).chain([None])
    }

    fn fits(limit: Option<u32>, wanted: u64) -> bool {
        limit.is_none_or(|limit| wanted <= u64::from(limit))
    }

    #[test]
    fn a_pool_is_allowed_exactly_if_no_limit_is_passed() {
        for (appliances_per_pool, pools, appliances) in
            limits().flat_map(|a| limits().flat_map(move |b| limits().map(move |c| (a, b, c))))
        {
            let quota = Quota { appliances_per_pool, pools, appliances, ..Quota::default() };
            for (has, used, count) in NUMBERS
                .into_iter()
                .flat_map(|a| NUMBERS.into_iter().flat_map(move |b| NUMBERS.into_iter().map(move |c| (a, b, c))))
            {
                let allowed = quota.allows_pool(QuotaUse { pools: has, appliances: used }, count);
                let expected = fits(appliances_per_pool, count.into())
                    && fits(pools, u64::from(has) + 1)
                    && fits(appliances, u64::from(used) + u64::from(count));
                assert_eq!(allowed.is_ok(), expected, "{quota:?} has {has} pools, {used} appliances, wants {count}");
                if let Err(error) = allowed {
                    assert_eq!(error.reason, Reason::QuotaExceeded);
                }
            }
            assert_eq!(quota.is_counted(), pools.is_some() || appliances.is_some());
        }
    }

    #[test]
    fn weights_have_bounds() {
        for (weight, fine) in [(0, false), (1, true), (100, true), (101, false), (u32::MAX, false)] {
            assert_eq!(Quota { weight, ..Quota::default() }.check().is_ok(), fine, "{weight}");
        }
    }
}
