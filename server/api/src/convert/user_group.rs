//! User groups on the wire.

use sprout_app::UserGroupUpdate;
use sprout_domain::{Error, ProviderKey, user_group::UserGroup};
use sprout_proto::user as proto;

use super::{Wire, moment, text};

/// Keys of providers.
pub(crate) fn keys(keys: Vec<String>) -> Vec<ProviderKey> {
    keys.into_iter().map(ProviderKey).collect()
}

/// A user group to change, and what of it.
pub(crate) struct Update {
    pub(crate) name: String,
    pub(crate) update: UserGroupUpdate,
}

impl TryFrom<Wire<proto::UpdateUserGroupRequest>> for Update {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::UpdateUserGroupRequest>) -> Result<Self, Error> {
        let update = UserGroupUpdate {
            add_members: request.add_members,
            remove_members: request.remove_members,
            add_providers: keys(request.add_providers),
            remove_providers: keys(request.remove_providers),
        };
        Ok(Self { name: text("name", request.name)?, update })
    }
}

impl From<Wire<UserGroup>> for proto::UserGroup {
    fn from(Wire(group): Wire<UserGroup>) -> Self {
        Self {
            name: group.name,
            members: group.members,
            providers: group.providers.into_iter().map(|key| key.0).collect(),
            created_at: Some(moment(group.created_at)),
        }
    }
}
