//! `sproutctl login`: trades name and password for a token, and keeps it.

use sprout_client::{Connection, Settings, proto::user::LoginRequest};
use sprout_conf::Secret;

use crate::{
    args::session::Login,
    config::{self, Config},
    context::Context,
    failure::Failure,
    output::{time, user::SessionView},
    prompt,
};

pub(crate) async fn run(context: &Context<'_>, args: Login) -> Result<(), Failure> {
    let path = context.config_path()?;
    let settings = context.settings()?;
    let connection = Connection::open(settings.clone())?;
    let name = args.name.map_or_else(|| prompt::name(context.out), Ok)?;
    let password = prompt::password(args.password_stdin, &format!("Password of {name}: "), false)?;
    let request =
        LoginRequest { name, password: password.expose().to_owned(), lifetime: args.lifetime.map(time::to_proto) };
    let answer = connection.users().login(request).await.map_err(|status| connection.explain(status))?.into_inner();
    let token = Secret::from(answer.token);
    let config = Config {
        server: Some(settings.server.clone()),
        ca: settings.ca.clone(),
        insecure: settings.insecure,
        token: Some(token.clone()),
    };
    if let Err(failure) = config::save(&path, &config) {
        // A token nobody has is of no use; it expires anyway when this does not work.
        let signed_in = Connection::open(Settings { token: Some(token), ..settings })?;
        let _ = signed_in.users().logout(sprout_client::proto::user::LogoutRequest {}).await;
        return Err(failure);
    }
    context.out.note(&format!("the token is in {}", path.display()));
    context.out.card(&SessionView {
        server: settings.server,
        server_version: None,
        user: answer.user.map(Into::into),
        expires_at: time::rfc3339(answer.expires_at),
        token: None,
    })
}
