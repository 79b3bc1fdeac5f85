//! `sproutctl passwd`, and `sproutctl user passwd`

use sprout_client::proto::user::{ChangePasswordRequest, UpdateUserRequest};

use crate::{
    args::user::{Passwd, Reset},
    context::Context,
    failure::Failure,
    prompt,
};

/// Changes the caller's own password.
pub(crate) async fn own(context: &Context<'_>, args: Passwd) -> Result<(), Failure> {
    let connection = context.connect()?;
    let old = prompt::password(args.password_stdin, "Old password: ", false)?;
    let new = prompt::password(args.password_stdin, "New password: ", true)?;
    let request =
        ChangePasswordRequest { old_password: old.expose().to_owned(), new_password: new.expose().to_owned() };
    connection.users().change_password(request).await.map_err(|status| connection.explain(status))?;
    context.out.note("the password is changed; all your tokens but this one stopped working");
    Ok(())
}

/// Gives someone a new password.
pub(crate) async fn reset(context: &Context<'_>, args: Reset) -> Result<(), Failure> {
    let connection = context.connect()?;
    let name = args.name;
    let password = prompt::password(args.password_stdin, &format!("New password for {name}: "), true)?;
    let password = Some(password.expose().to_owned());
    let request = UpdateUserRequest { name: name.clone(), password, ..UpdateUserRequest::default() };
    connection.users().update_user(request).await.map_err(|status| connection.explain(status))?;
    context.out.note(&format!("{name} has a new password; all tokens of {name} stopped working"));
    Ok(())
}
