//! The methods there are: their names, parameters and rights are those of the service that was replaced.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{
    Call, appliance,
    args::{Args, Default as D, Parameter},
    failure::Failure,
    group, pool, provider, task,
};

/// What a method answers.
pub(super) type Answer = Result<Value, Failure>;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Anyone; whoever says who they are is answered as themselves, others as the gateway's own user.
    Anyone,
    /// Users.
    User,
}

/// One method.
pub(super) struct Method {
    /// Its name.
    pub(super) name: &'static str,
    /// What it does, for clients that ask.
    pub(super) doc: &'static str,
    /// Who may call. What only staff may do is the server's to say.
    pub(super) rights: Rights,
    /// Its parameters.
    pub(super) parameters: &'static [Parameter],
    /// Does it.
    pub(super) run: for<'a> fn(&'a Call, &'a Args) -> BoxFuture<'a, Answer>,
}

const fn needed(name: &'static str) -> Parameter {
    Parameter { name, default: D::Required }
}

const fn or(name: &'static str, default: D) -> Parameter {
    Parameter { name, default }
}

macro_rules! methods {
    ($($rights:ident $name:literal ($($parameter:expr),*) => $run:path, $doc:literal;)*) => {
        &[$(Method {
            name: $name,
            doc: $doc,
            rights: Rights::$rights,
            parameters: &[$($parameter),*],
            run: |call, args| Box::pin($run(call, args)),
        }),*]
    };
}

/// All methods.
pub(super) const METHODS: &[Method] = methods! {
    Anyone "has_template"(needed("template_name"), needed("preconfigured")) => group::has_template, "Whether a template of this name can be used.";
    Anyone "list_appliances"(or("used", D::Bool(false))) => appliance::list, "Appliances that belong to pools, or those that belong to none.";
    User "num_shepherd_appliances"(needed("group"), or("version", D::Null), or("date", D::Null), or("provider", D::Null)) => appliance::count_warm, "How many appliances are warm, of the newest version and date where none is given.";
    User "request_appliances"(needed("group"), or("count", D::Int(1)), or("lease_time", D::Int(60)), or("version", D::Null), or("date", D::Null), or("provider", D::Null), or("preconfigured", D::Bool(true)), or("yum_update", D::Bool(false)), or("ram", D::Null), or("cpu", D::Null), or("provider_type", D::Null), or("template_type", D::Text("virtual_machine"))) => pool::request, "Requests a pool and returns its id. The lease is in minutes, the date YYMMDD, RAM in MiB.";
    User "request_check"(needed("request_id")) => pool::check, "How far a pool is, with its appliances.";
    User "prolong_appliance_lease"(needed("id"), or("minutes", D::Int(60))) => appliance::prolong, "Has an appliance's lease end so many minutes from now.";
    User "prolong_appliance_pool_lease"(needed("id"), or("minutes", D::Int(60))) => pool::prolong, "Has the leases of a pool's appliances end so many minutes from now.";
    User "destroy_pool"(needed("id")) => pool::destroy, "Ends a pool and kills its appliances.";
    Anyone "pool_exists"(needed("id")) => pool::exists, "Whether there is such a pool, and it has not ended.";
    User "get_number_free_appliances"(needed("group")) => group::wanted_warm, "How many appliances of the group are kept warm, by user group.";
    User "set_number_free_appliances"(needed("group"), needed("n")) => group::set_wanted_warm, "Sets how many appliances of the group are kept warm for everyone. Staff.";
    Anyone "available_cfme_versions"(or("preconfigured", D::Bool(true))) => group::versions, "Versions that can be requested, the newest first.";
    Anyone "available_groups"() => group::list, "Names of all groups.";
    Anyone "available_providers"() => provider::list, "Keys of the providers that can be used.";
    User "add_provider"(needed("provider_key")) => provider::add, "Has a configured provider used and checked. Staff.";
    User "available_provider_types"() => provider::types, "Types of the providers that can be used.";
    User "appliance_data"(needed("appliance")) => appliance::data, "Everything about an appliance.";
    User "destroy_appliance"(needed("appliance")) => appliance::destroy, "Kills an appliance and returns the task's id, or null if it is gone already.";
    Anyone "power_state"(needed("appliance")) => appliance::power_state, "Power state as last observed.";
    User "power_on"(needed("appliance"), or("wait_ready", D::Bool(true))) => appliance::power_on, "Powers on, and waits until it is ready; null if it is on already.";
    User "power_off"(needed("appliance")) => appliance::power_off, "Powers off; null if it is off already.";
    User "suspend"(needed("appliance")) => appliance::suspend, "Suspends; null if it is suspended already, false if it is off.";
    User "set_pool_description"(needed("pool_id"), needed("description")) => pool::describe, "Sets a pool's description.";
    User "get_pool_description"(needed("pool_id")) => pool::description, "A pool's description.";
    User "find_pools_by_description"(needed("description"), or("partial", D::Bool(false))) => pool::find, "Ids of your pools with this description, or with this in it.";
    User "rename_appliance"(needed("appliance"), needed("new_name")) => appliance::rename, "Renames an appliance and returns the task's id.";
    Anyone "task_finished"(needed("task_id")) => task::finished, "Whether a task has ended.";
    Anyone "task_result"(needed("task_id")) => task::result, "What a task came to: null until it has ended, then true; an exception if it failed.";
    User "appliance_provider_type"(needed("appliance")) => appliance::provider_type, "Type of an appliance's provider.";
    User "appliance_provider_key"(needed("appliance")) => appliance::provider_key, "Key of an appliance's provider.";
    User "appliance_connect_direct_lun"(needed("appliance")) => appliance::connect_lun, "Attaches an empty disk of 10 GiB and returns the task's id.";
    User "appliance_disconnect_direct_lun"(needed("appliance")) => appliance::disconnect_lun, "Detaches the disk, deletes it, and returns the task's id; null if there is none.";
    User "merge_pools"(needed("target_pool_id"), needed("source_pool_id")) => pool::merge, "Moves all appliances of the source into the target, and returns the target's id.";
    User "clone_pool"(needed("pool_id"), or("count", D::Null), or("lease_time", D::Int(60))) => pool::clone, "Requests a pool of the same kind and returns its id.";
};

/// What clients are told that ask which methods there are.
pub(super) fn described() -> Value {
    let described = METHODS.iter().map(|method| {
        let defaults: Vec<_> = method.parameters.iter().filter_map(|parameter| parameter.default.value()).collect();
        json!({
            "name": method.name,
            "args": method.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>(),
            "defaults": defaults,
            "docstring": method.doc,
            "needs_authentication": method.rights == Rights::User,
        })
    });
    json!({ "available_methods": described.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_what_must_be_given_comes_first() {
        let names: BTreeSet<_> = METHODS.iter().map(|method| method.name).collect();
        assert_eq!((names.len(), METHODS.len()), (34, 34));
        for method in METHODS {
            let optional = method.parameters.iter().skip_while(|parameter| parameter.default == D::Required);
            assert!(optional.into_iter().all(|parameter| parameter.default != D::Required), "{}", method.name);
        }
    }
}
