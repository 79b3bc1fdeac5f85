//! `sproutctl logout`: makes the token invalid, and forgets it.

use sprout_client::{
    ClientError, Code, Connection,
    proto::user::{LogoutEverywhereRequest, LogoutRequest},
};

use crate::{args::session::Logout, config, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Logout) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Whoever wants to end other sessions must be told that none was ended.
    if !connection.has_token() && !args.everywhere {
        context.out.note(&format!("you are not signed in to {}", connection.server()));
        return Ok(());
    }
    let done = if args.everywhere { everywhere(&connection).await } else { here(&connection).await };
    if args.everywhere && done.as_ref().is_err_and(|error| error.code() != Code::Unauthenticated) {
        // Kept, to try again with.
        return done.map(|_| ()).map_err(Into::into);
    }
    // Forgotten here in any case: also when the server cannot be told, or knows the token no more.
    let mut saved = context.config()?;
    if saved.is_for(connection.server()) && saved.token.take().is_some() {
        config::save(&context.config_path()?, &saved)?;
    }
    match done {
        Err(error) if args.everywhere => Err(error.into()),
        Err(error) if error.code() != Code::Unauthenticated => {
            context
                .out
                .note("the token is forgotten here; the server was not told, so it stays valid until it expires");
            Err(error.into())
        }
        Ok(Some(count)) => {
            context.out.note(&format!("signed out of {}; sessions ended: {count}", connection.server()));
            Ok(())
        }
        Ok(None) | Err(_) => {
            context.out.note(&format!("signed out of {}", connection.server()));
            Ok(())
        }
    }
}

async fn here(connection: &Connection) -> Result<Option<u32>, ClientError> {
    connection.users().logout(LogoutRequest {}).await.map_err(|status| connection.explain(status))?;
    Ok(None)
}

async fn everywhere(connection: &Connection) -> Result<Option<u32>, ClientError> {
    let mut users = connection.users();
    let ended = users.logout_everywhere(LogoutEverywhereRequest {}).await;
    let count = ended.map_err(|status| connection.explain(status))?.into_inner().count;
    Ok(Some(count))
}
