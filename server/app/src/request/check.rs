//! What of a request can be judged by who asks and by the configuration.

use sprout_domain::{
    Catalogue, Error, Reason, Result, Visible,
    pool::PoolRequest,
    user::{Role, User},
};

/// Refuses what can never be: overrides without the permission, a provider that is not seen, a provider type that there is not, or not there.
pub(super) fn check(catalogue: &Catalogue, caller: &User, request: &PoolRequest, visible: &Visible) -> Result<()> {
    let overrides = request.memory_mib.is_some() || request.cpus.is_some();
    if overrides && !caller.can_override_hardware && caller.role < Role::Superuser {
        let message = "you may not choose the memory and CPUs of appliances; leave them out, or ask an administrator for the permission";
        return Err(Error::new(Reason::OverrideNotAllowed, message));
    }
    if request.update && catalogue.group(&request.group)?.preparation.update.is_empty() {
        let message = format!(
            "group {} does not say how its appliances are brought up to date; leave `update` out, or have `update:` added to it in sprout.yaml",
            request.group
        );
        return Err(Error::invalid("update", message));
    }
    let provider = request.provider.as_ref().map(|key| catalogue.provider_seen(key, visible)).transpose()?;
    let Some(wanted) = &request.provider_type else { return Ok(()) };
    if let Some(provider) = provider {
        let driver = provider.settings.driver();
        if driver == wanted {
            return Ok(());
        }
        let message = format!("provider {} is of type {driver}, not {wanted}; leave one of the two out", provider.key);
        return Err(Error::invalid("provider_type", message));
    }
    let seen = catalogue.providers.values().filter(|spec| visible.sees(&spec.key));
    let mut types: Vec<_> = seen.map(|spec| spec.settings.driver()).collect();
    types.sort_unstable();
    types.dedup();
    if types.contains(&&**wanted) {
        return Ok(());
    }
    let there = if types.is_empty() { "none at all".to_owned() } else { types.join(", ") };
    let message = format!("you see no provider of type {wanted}, but {there}; choose another type, or none");
    Err(Error::invalid("provider_type", message))
}
