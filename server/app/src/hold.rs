//! Holds: an appliance is kept for debugging although its lease ends.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Error, Reason, Result, UserId,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    lease,
    user::User,
};

use crate::{
    App,
    appliance::visible,
    kill::{kill_appliances, lock},
    ports::{ApplianceBy, Hold, Topic},
    work::{Work, repeated},
};

/// The longest hold, from now.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest reason, in bytes.
const LONGEST_REASON: usize = 1024;

impl App {
    /// Holds an appliance of a pool for this long from now. One that is held already is held until then instead.
    pub async fn hold_appliance(
        &self,
        caller: &User,
        id: ApplianceId,
        reason: &str,
        time: Duration,
    ) -> Result<Appliance> {
        check(reason, time)?;
        repeated(|| self.try_hold(caller, id, reason, time)).await
    }

    async fn try_hold(&self, caller: &User, id: ApplianceId, reason: &str, time: Duration) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        let seen = visible(work.tx.as_mut(), caller, &by).await?;
        let Some(pool) = seen.pool_id else { return Err(not_leased(&seen)) };
        let owner = work.tx.pool(pool).await?.ok_or_else(|| Error::internal("a pool vanished"))?.owner_id;
        // Two at once must not both find room for one.
        work.tx.take_turn(&turn(owner)).await?;
        let appliance = lock(&mut work, &[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        if !appliance.state.counts() || appliance.pool_id.is_none() {
            return Err(not_leased(&appliance));
        }
        if appliance.held_until.is_none() {
            check_limit(&mut work, owner, 1).await?;
        }
        let until = lease::end(work.tx.now(), time);
        work.tx.set_hold(&[id], Some(&Hold { until, reason: reason.to_owned() })).await?;
        let says = format!("{} holds {} until {}: {reason}", caller.name, seen.name, until.format("%F %T UTC"));
        emit_changed(&mut work, &appliance, Some(caller), says);
        work.wake(Topic::Leases);
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }

    /// Ends a hold; nothing happens if there is none. If the lease has ended meanwhile, the appliance is killed.
    pub async fn unhold_appliance(&self, caller: &User, id: ApplianceId) -> Result<Appliance> {
        repeated(|| self.try_unhold(caller, id)).await
    }

    async fn try_unhold(&self, caller: &User, id: ApplianceId) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        visible(work.tx.as_mut(), caller, &by).await?;
        let appliance = lock(&mut work, &[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        if appliance.held_until.is_some() {
            let says = format!("{} no longer holds {}", caller.name, appliance.name);
            end_holds(&mut work, &[appliance], Some(caller), |_| says.clone()).await?;
        }
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }
}

/// Ends the holds of these appliances (locked, with their pools and tasks), and kills those whose lease is over.
pub(crate) async fn end_holds(
    work: &mut Work,
    held: &[Appliance],
    caller: Option<&User>,
    says: impl Fn(&Appliance) -> String,
) -> Result<()> {
    let ids: Vec<_> = held.iter().map(|appliance| appliance.id).collect();
    work.tx.set_hold(&ids, None).await?;
    let now = work.tx.now();
    let is_over = |appliance: &&Appliance| appliance.leased_until.is_some_and(|until| until <= now);
    for appliance in held {
        emit_changed(work, appliance, caller, says(appliance));
    }
    for appliance in held.iter().filter(is_over).filter(|appliance| appliance.state.counts()) {
        work.emit_appliance(EventKind::LeaseExpired, appliance, format!("the lease of {} ended", appliance.name));
    }
    let over: Vec<_> = held.iter().filter(is_over).map(|appliance| appliance.id).collect();
    work.wake(Topic::Leases);
    kill_appliances(work, &over, "its lease ended, and its hold").await
}

/// Refuses `more` holds of this user beyond what one may have.
pub(crate) async fn check_limit(work: &mut Work, owner: UserId, more: u32) -> Result<()> {
    let (held, limit) = (work.tx.held_count(owner).await?, work.catalogue.holds_per_user);
    if more > 0 && held.saturating_add(more) > limit {
        let message =
            format!("a user may hold {limit} appliances at a time, and {held} are held already; unhold one first");
        return Err(Error::new(Reason::HoldLimit, message).with("limit", limit.to_string()));
    }
    Ok(())
}

/// Names the turn in which this user's holds are counted.
pub(crate) fn turn(owner: UserId) -> String {
    format!("holds of {owner}")
}

/// Adds an event about an appliance of which something other than its state has changed.
pub(crate) fn emit_changed(work: &mut Work, appliance: &Appliance, caller: Option<&User>, message: String) {
    work.emit(NewEvent {
        pool_id: appliance.pool_id,
        appliance_id: Some(appliance.id),
        provider: Some(appliance.provider.clone()),
        user: caller.map(|caller| caller.name.clone()),
        ..NewEvent::new(EventKind::ApplianceChanged, message)
    });
}

fn check(reason: &str, time: Duration) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "a hold needs a reason, for those who would like its slot; say why"));
    }
    if reason.len() > LONGEST_REASON || reason.contains('\0') {
        return Err(Error::invalid("reason", "a reason has at most 1024 bytes, and no NUL character; shorten it"));
    }
    if time < Duration::from_secs(1) || time > LONGEST {
        return Err(Error::invalid(
            "time",
            "a hold lasts from one second to 7 days from now; hold it again before it ends",
        ));
    }
    Ok(())
}

fn not_leased(appliance: &Appliance) -> Error {
    let why =
        if appliance.pool_id.is_none() { "belongs to no pool".to_owned() } else { format!("is {}", appliance.state) };
    Error::new(
        Reason::WrongState,
        format!("{} {why} and cannot be held; hold one of a pool while it lives", appliance.name),
    )
}
