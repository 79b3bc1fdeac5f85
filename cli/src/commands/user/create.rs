//! `sproutctl user create`

use sprout_client::proto::user::{self, CreateUserRequest};

use crate::{
    args::session::{CreateUser, Role},
    context::Context,
    failure::Failure,
    output::user::UserView,
    prompt,
};

pub(crate) async fn run(context: &Context<'_>, args: CreateUser) -> Result<(), Failure> {
    let connection = context.connect()?;
    let password = prompt::password(args.password_stdin, &format!("Password for {}: ", args.name), true)?;
    let role = match args.role {
        Role::User => user::Role::User,
        Role::Staff => user::Role::Staff,
        Role::Superuser => user::Role::Superuser,
    };
    let request = CreateUserRequest {
        name: args.name,
        password: password.expose().to_owned(),
        role: role.into(),
        ..CreateUserRequest::default()
    };
    let answer = connection.users().create_user(request).await.map_err(|status| connection.explain(status))?;
    context.out.card(&UserView::from(answer.into_inner().user.ok_or(Failure::Incomplete("user"))?))
}
