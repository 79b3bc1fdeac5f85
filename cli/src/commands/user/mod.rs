//! `sproutctl user …`

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod passwd;
pub(crate) mod update;

use sprout_client::proto::user;

use crate::{
    args::user::{Role, User},
    context::Context,
    failure::Failure,
};

/// Does what was asked of users.
pub(crate) async fn dispatch(context: &Context<'_>, asked: User) -> Result<(), Failure> {
    match asked {
        User::List(args) => list::run(context, args).await,
        User::Get(args) => get::run(context, args).await,
        User::Create(args) => create::run(context, args).await,
        User::Update(args) => update::run(context, args).await,
        User::Passwd(args) => passwd::reset(context, args).await,
    }
}

fn role(role: Role) -> user::Role {
    match role {
        Role::User => user::Role::User,
        Role::Bot => user::Role::Bot,
        Role::Staff => user::Role::Staff,
        Role::Superuser => user::Role::Superuser,
    }
}
