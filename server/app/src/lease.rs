//! Leases: extending them, reminding of their end, and acting when they end.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Catalogue, Error, PoolId, Reason, Result, Timestamp,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    group::Group,
    lease::{self, LeaseEnd},
    pool::{Pool, PoolState},
    user::{Role, User},
};

use crate::{
    App, PoolView,
    appliance::visible,
    hold::end_holds,
    kill::{kill_appliances, lock},
    pool::{owned, view},
    ports::{ApplianceBy, Topic},
    work::{Work, repeated},
};

/// Leases that end in one transaction; more follow at once in the next.
const BATCH: u64 = 200;

/// What a lease is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// It ends this long from now.
    Time(Duration),
    /// It never ends. Superusers only.
    Never,
}

impl Extension {
    /// The new end, if the group and the caller's role allow it.
    fn end(self, caller: &User, group: &Group, now: Timestamp) -> Result<LeaseEnd> {
        match self {
            Self::Time(asked) => Ok(LeaseEnd::after(now, lease::checked(Some(asked), group)?, &group.reminders)),
            Self::Never if caller.role >= Role::Superuser => Ok(LeaseEnd::NEVER),
            Self::Never => {
                let message = "only superusers let a lease never end; extend it by a time instead";
                Err(Error::new(Reason::NotAllowed, message))
            }
        }
    }
}

impl App {
    /// Sets the end of the leases of a ready pool. Of two that extend it at once, the later counts.
    pub async fn extend_pool(&self, caller: &User, id: PoolId, extension: Extension) -> Result<PoolView> {
        repeated(|| self.try_extend_pool(caller, id, extension)).await
    }

    async fn try_extend_pool(&self, caller: &User, id: PoolId, extension: Extension) -> Result<PoolView> {
        let mut work = self.work().await?;
        owned(work.tx.as_mut(), caller, id).await?;
        let pool = work.tx.lock_pool(id).await?.ok_or_else(|| Error::internal("a pool vanished"))?;
        let end = extension.end(caller, work.catalogue.group(&pool.group)?, work.tx.now())?;
        if pool.state != PoolState::Ready {
            let hint = if pool.state < PoolState::Ready {
                "its lease starts when it is ready"
            } else {
                "it cannot be brought back"
            };
            return Err(Error::new(Reason::WrongState, format!("pool {id} is {}: {hint}", pool.state)));
        }
        work.tx.set_pool_lease(id, false, end).await?;
        work.emit(NewEvent {
            pool_id: Some(id),
            user: Some(caller.name.clone()),
            state: Some(pool.state.as_str().to_owned()),
            ..NewEvent::new(EventKind::PoolExtended, says(caller, &format!("pool {id}"), end))
        });
        work.wake(Topic::Leases);
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }

    /// Sets the end of the lease of one leased appliance.
    pub async fn extend_appliance(&self, caller: &User, id: ApplianceId, extension: Extension) -> Result<Appliance> {
        repeated(|| self.try_extend_appliance(caller, id, extension)).await
    }

    async fn try_extend_appliance(&self, caller: &User, id: ApplianceId, extension: Extension) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        visible(work.tx.as_mut(), caller, &by).await?;
        let appliance =
            work.tx.lock_appliances(&[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        let end = extension.end(caller, work.catalogue.group(&appliance.group)?, work.tx.now())?;
        if appliance.leased_at.is_none() || !appliance.state.counts() {
            return Err(Error::new(
                Reason::WrongState,
                format!("{} is {} and has no lease to extend", appliance.name, appliance.state),
            ));
        }
        work.tx.set_lease(id, end).await?;
        work.emit_appliance(EventKind::PoolExtended, &appliance, says(caller, &appliance.name, end));
        work.wake(Topic::Leases);
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }

    /// Kills what is past its lease and not held, ends holds, and reminds of what ends soon. Returns how long until there is more to do, if
    /// that is known; zero: now.
    pub async fn expire_leases(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let (now, next) = (tx.now(), tx.next_lease_due().await?);
        drop(tx);
        match next.map(|at| (at - now).to_std()) {
            None => return Ok(None),
            Some(Ok(left)) if !left.is_zero() => return Ok(Some(left)),
            Some(_) => {}
        }
        repeated(|| self.expire()).await?;
        Ok(Some(Duration::ZERO))
    }

    async fn expire(&self) -> Result<()> {
        let mut work = self.work().await?;
        let mut due = work.tx.expired(BATCH).await?;
        due.extend(work.tx.holds_over(BATCH).await?);
        // Someone may have extended or held it since the look: what counts is how it is once nobody else can change it.
        let appliances = lock(&mut work, &due).await?;
        let now = work.tx.now();
        let (over, kept): (Vec<_>, Vec<_>) = appliances.into_iter().partition(|a| a.held_until.is_some());
        let over: Vec<_> = over.into_iter().filter(|a| a.held_until.is_some_and(|until| until <= now)).collect();
        if !over.is_empty() {
            end_holds(&mut work, &over, None, |appliance| format!("the hold of {} ended", appliance.name)).await?;
        }
        end_leases(&mut work, &kept, now).await?;
        remind(&mut work).await?;
        work.commit().await
    }
}

async fn end_leases(work: &mut Work, appliances: &[Appliance], now: Timestamp) -> Result<()> {
    let expired: Vec<_> = appliances.iter().filter(|a| a.leased_until.is_some_and(|until| until <= now)).collect();
    for appliance in expired.iter().filter(|appliance| appliance.state.counts()) {
        work.emit_appliance(EventKind::LeaseExpired, appliance, format!("the lease of {} ended", appliance.name));
    }
    let ids: Vec<_> = expired.iter().map(|appliance| appliance.id).collect();
    kill_appliances(work, &ids, "its lease ended").await
}

/// Reminds of leases that end soon, each time once. Those that have ended since are only forgotten.
async fn remind(work: &mut Work) -> Result<()> {
    let now = work.tx.now();
    let due = work.tx.take_reminders(BATCH).await?;
    let mut next = Vec::new();
    for appliance in &due {
        let left = appliance.leased_until.map(|until| (until, (until - now).to_std().unwrap_or_default()));
        let left = left.filter(|(_, left)| !left.is_zero());
        next.push((
            appliance.id,
            left.and_then(|(until, _)| lease::next_reminder(now, until, reminders(work, appliance))),
        ));
        if let Some((until, left)) = left.filter(|_| appliance.state.counts()) {
            let message = format!(
                "the lease of {} ends in {}, at {}; extend it to keep it longer",
                appliance.name,
                rough(left),
                until.format("%F %T UTC")
            );
            work.emit_appliance(EventKind::LeaseReminder, appliance, message);
        }
    }
    work.tx.set_reminders(&next).await
}

fn reminders<'a>(work: &'a Work, appliance: &Appliance) -> &'a [Duration] {
    work.catalogue.groups.get(&appliance.group).map(|group| &*group.reminders).unwrap_or_default()
}

/// The end of a pool's lease that starts now.
pub(crate) fn lease_of(catalogue: &Catalogue, now: Timestamp, pool: &Pool) -> LeaseEnd {
    // A group that is no longer configured reminds nobody.
    let reminders = catalogue.groups.get(&pool.group).map(|group| &*group.reminders).unwrap_or_default();
    LeaseEnd::after(now, pool.lease, reminders)
}

fn says(caller: &User, what: &str, end: LeaseEnd) -> String {
    match end.until {
        Some(until) => format!("{} extended the lease of {what} until {}", caller.name, until.format("%F %T UTC")),
        None => format!("{} let the lease of {what} never end", caller.name),
    }
}

/// "59 minutes", "10 minutes", "30 seconds".
fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", (seconds + 30) / 60),
    }
}
