//! `sproutctl logout`: makes the token invalid, and forgets it.

use sprout_client::{Code, proto::user::LogoutRequest};

use crate::{config, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    if !connection.has_token() {
        context.out.note(&format!("you are not signed in to {}", connection.server()));
        return Ok(());
    }
    let done = connection.users().logout(LogoutRequest {}).await.map_err(|status| connection.explain(status));
    // Forgotten here in any case: also when the server cannot be told, or knows the token no more.
    let mut saved = context.config()?;
    if saved.is_for(connection.server()) && saved.token.take().is_some() {
        config::save(&context.config_path()?, &saved)?;
    }
    match done {
        Err(error) if error.code() != Code::Unauthenticated => {
            context
                .out
                .note("the token is forgotten here; the server was not told, so it stays valid until it expires");
            Err(error.into())
        }
        _ => {
            context.out.note(&format!("signed out of {}", connection.server()));
            Ok(())
        }
    }
}
