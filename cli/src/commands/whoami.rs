//! `sproutctl whoami`: who the caller is to the server.

use sprout_client::{Connection, proto::user::WhoAmIRequest};

use crate::{
    context::Context,
    failure::Failure,
    output::{time, user::SessionView},
};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    context.out.card(&session(&context.connect()?).await?)
}

/// Who the caller is, where.
pub(crate) async fn session(connection: &Connection) -> Result<SessionView, Failure> {
    let answer = connection.users().who_am_i(WhoAmIRequest {}).await.map_err(|status| connection.explain(status))?;
    let answer = answer.into_inner();
    Ok(SessionView {
        server: connection.server().to_owned(),
        server_version: Some(answer.server_version),
        user: answer.user.map(Into::into),
        expires_at: time::rfc3339(answer.expires_at),
        token: answer.token.map(Into::into),
    })
}
