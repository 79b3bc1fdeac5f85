//! `sproutctl user create`

use sprout_client::proto::user::CreateUserRequest;

use super::role;
use crate::{args::user::Create, context::Context, failure::Failure, output::user::UserView, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Create) -> Result<(), Failure> {
    let connection = context.connect()?;
    let password = prompt::password(args.password_stdin, &format!("Password for {}: ", args.name), true)?;
    let request = CreateUserRequest {
        name: args.name,
        password: password.expose().to_owned(),
        role: role(args.role).into(),
        can_override_hardware: args.override_hardware,
        user_groups: args.user_group,
    };
    let answer = connection.users().create_user(request).await.map_err(|status| connection.explain(status))?;
    let view = UserView::from(answer.into_inner().user.ok_or(Failure::Incomplete("user"))?);
    if let Some(hint) = view.sees_nothing() {
        context.out.note(&hint);
    }
    context.out.card(&view)
}
