//! Leases: extending them, and acting when they end.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Error, PoolId, Reason, Result, appliance::Appliance, event::EventKind, lease, pool::PoolState,
    user::User,
};

use crate::{
    App, PoolView,
    appliance::visible,
    kill::{kill_appliances, lock},
    pool::{owned, view},
    ports::{ApplianceBy, Topic},
    work::repeated,
};

/// Leases that end in one transaction; more follow at once in the next.
const BATCH: u64 = 200;

impl App {
    /// Lets the leases of a ready pool end this long from now.
    pub async fn extend_pool(&self, caller: &User, id: PoolId, asked: Duration) -> Result<PoolView> {
        repeated(|| self.try_extend_pool(caller, id, asked)).await
    }

    async fn try_extend_pool(&self, caller: &User, id: PoolId, asked: Duration) -> Result<PoolView> {
        let mut work = self.work().await?;
        owned(work.tx.as_mut(), caller, id).await?;
        let pool = work.tx.lock_pool(id).await?.ok_or_else(|| Error::internal("a pool vanished"))?;
        let lease = lease::checked(Some(asked), self.catalogue().group(&pool.group)?)?;
        if pool.state != PoolState::Ready {
            let hint = if pool.state < PoolState::Ready {
                "its lease starts when it is ready"
            } else {
                "it cannot be brought back"
            };
            return Err(Error::new(Reason::WrongState, format!("pool {id} is {}: {hint}", pool.state)));
        }
        let until = lease::end(work.tx.now(), lease);
        work.tx.set_pool_lease(id, false, until).await?;
        work.emit_pool(
            EventKind::PoolExtended,
            &pool,
            format!("{} extended the lease of pool {id} until {}", caller.name, until.format("%F %T UTC")),
        );
        work.wake(Topic::Leases);
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }

    /// Lets the lease of one leased appliance end this long from now.
    pub async fn extend_appliance(&self, caller: &User, id: ApplianceId, asked: Duration) -> Result<Appliance> {
        repeated(|| self.try_extend_appliance(caller, id, asked)).await
    }

    async fn try_extend_appliance(&self, caller: &User, id: ApplianceId, asked: Duration) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        visible(work.tx.as_mut(), caller, &by).await?;
        let appliance =
            work.tx.lock_appliances(&[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        let lease = lease::checked(Some(asked), self.catalogue().group(&appliance.group)?)?;
        if appliance.leased_until.is_none() || !appliance.state.counts() {
            return Err(Error::new(
                Reason::WrongState,
                format!("{} is {} and has no lease to extend", appliance.name, appliance.state),
            ));
        }
        let until = lease::end(work.tx.now(), lease);
        work.tx.set_lease(id, until).await?;
        let message =
            format!("{} extended the lease of {} until {}", caller.name, appliance.name, until.format("%F %T UTC"));
        work.emit_appliance(EventKind::PoolExtended, &appliance, message);
        work.wake(Topic::Leases);
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }

    /// Kills what is past its lease. Returns how long until the next lease ends, if any does; zero if there is more to do now.
    pub async fn expire_leases(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let (now, next) = (tx.now(), tx.next_expiry().await?);
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
        let expired = work.tx.expired(BATCH).await?;
        // Someone may have extended it since the look: what counts is the lease as it is once nobody else can change it.
        let now = work.tx.now();
        let mut appliances = lock(&mut work, &expired).await?;
        appliances.retain(|appliance| appliance.leased_until.is_some_and(|until| until <= now));
        let expired: Vec<_> = appliances.iter().map(|appliance| appliance.id).collect();
        for appliance in appliances.iter().filter(|appliance| appliance.state.counts()) {
            work.emit_appliance(EventKind::LeaseExpired, appliance, format!("the lease of {} ended", appliance.name));
        }
        kill_appliances(&mut work, &expired, "its lease ended").await?;
        work.commit().await
    }
}
