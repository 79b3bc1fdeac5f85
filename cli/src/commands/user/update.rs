//! `sproutctl user update`

use sprout_client::proto::user::UpdateUserRequest;

use super::role;
use crate::{args::user::Update, context::Context, failure::Failure, output::user::UserView, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Update) -> Result<(), Failure> {
    let Update { name, role: new_role, disable, enable, override_hardware, yes } = args;
    if new_role.is_none() && !disable && !enable && override_hardware.is_none() {
        return Err(Failure::Usage {
            message: "what is to be changed?".to_owned(),
            hint: "say --role, --disable, --enable or --override-hardware".to_owned(),
        });
    }
    if disable {
        let question = format!("Disable user {name}, whose tokens and watches end at once?");
        prompt::confirm(context.out, yes, &question, "nothing was changed")?;
    }
    let connection = context.connect()?;
    let request = UpdateUserRequest {
        name,
        role: new_role.map(|new| role(new).into()),
        disabled: (disable || enable).then_some(disable),
        can_override_hardware: override_hardware,
        password: None,
    };
    let answer = connection.users().update_user(request).await.map_err(|status| connection.explain(status))?;
    context.out.card(&UserView::from(answer.into_inner().user.ok_or(Failure::Incomplete("user"))?))
}
