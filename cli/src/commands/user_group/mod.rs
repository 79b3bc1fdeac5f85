//! `sproutctl user-group …`

use sprout_client::proto::user::{
    self, CreateUserGroupRequest, DeleteUserGroupRequest, GetUserGroupRequest, ListUserGroupsRequest,
    UpdateUserGroupRequest,
};

use crate::{
    args::user_group::{Delete, Parts, UserGroup, Which},
    context::Context,
    failure::Failure,
    output::user_group::UserGroupView,
    prompt,
};

/// Does what was asked of user groups.
pub(crate) async fn dispatch(context: &Context<'_>, asked: UserGroup) -> Result<(), Failure> {
    match asked {
        UserGroup::List => list(context).await,
        UserGroup::Get(args) => get(context, args).await,
        UserGroup::Create(args) => create(context, args).await,
        UserGroup::Add(Parts { name, users, providers }) => {
            let added = UpdateUserGroupRequest { add_members: users, add_providers: providers, ..of(name) };
            update(context, added).await
        }
        UserGroup::Remove(Parts { name, users, providers }) => {
            let removed = UpdateUserGroupRequest { remove_members: users, remove_providers: providers, ..of(name) };
            update(context, removed).await
        }
        UserGroup::Delete(args) => delete(context, args).await,
    }
}

fn of(name: String) -> UpdateUserGroupRequest {
    UpdateUserGroupRequest { name, ..UpdateUserGroupRequest::default() }
}

async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.user_groups().list_user_groups(ListUserGroupsRequest {}).await;
    let groups = answer.map_err(|status| connection.explain(status))?.into_inner().user_groups;
    context.out.list(&groups.into_iter().map(UserGroupView::from).collect::<Vec<_>>())
}

async fn get(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.user_groups().get_user_group(GetUserGroupRequest { name: args.name }).await;
    show(context, answer.map_err(|status| connection.explain(status))?.into_inner().user_group)
}

async fn create(context: &Context<'_>, args: Parts) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Parts { name, users, providers } = args;
    let request = CreateUserGroupRequest { name, members: users, providers };
    let answer = connection.user_groups().create_user_group(request).await;
    show(context, answer.map_err(|status| connection.explain(status))?.into_inner().user_group)
}

async fn update(context: &Context<'_>, request: UpdateUserGroupRequest) -> Result<(), Failure> {
    let parts = [&request.add_members, &request.remove_members, &request.add_providers, &request.remove_providers];
    if parts.iter().all(|part| part.is_empty()) {
        return Err(Failure::Usage {
            message: "neither a user nor a provider is named".to_owned(),
            hint: "say --user NAME or --provider KEY, each as often as needed".to_owned(),
        });
    }
    let connection = context.connect()?;
    let answer = connection.user_groups().update_user_group(request).await;
    show(context, answer.map_err(|status| connection.explain(status))?.into_inner().user_group)
}

async fn delete(context: &Context<'_>, args: Delete) -> Result<(), Failure> {
    let question = format!("Delete user group {}, so that its members lose its providers?", args.name);
    prompt::confirm(context.out, args.yes, &question, "nothing was deleted")?;
    let connection = context.connect()?;
    let request = DeleteUserGroupRequest { name: args.name.clone() };
    connection.user_groups().delete_user_group(request).await.map_err(|status| connection.explain(status))?;
    context.out.note(&format!("user group {} is deleted", args.name));
    Ok(())
}

fn show(context: &Context<'_>, group: Option<user::UserGroup>) -> Result<(), Failure> {
    context.out.card(&UserGroupView::from(group.ok_or(Failure::Incomplete("user group"))?))
}
