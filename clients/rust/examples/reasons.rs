//! What a program does about errors: it matches on their reasons, never on their text.
//!
//! `SPROUT_SERVER=… SPROUT_TOKEN=… cargo run -p sprout-client --example reasons GROUP`
#![allow(clippy::print_stdout, reason = "an example talks")]

use std::{env, error::Error};

use sprout_client::{
    Checkout, ClientError, Connection, DEFAULT_SERVER, Reason, Settings, proto::pool::RequestPoolRequest,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = env::var("SPROUT_SERVER").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    let token = env::var("SPROUT_TOKEN").ok().map(Into::into);
    let connection = Connection::open(Settings { token, ..Settings::new(server) })?;

    let group = env::args().nth(1).ok_or("name a group")?;
    let version = Some("0.0.0.0-none".to_owned());
    let request = RequestPoolRequest { group, count: 1, version, ..RequestPoolRequest::default() };
    match Checkout::request(&connection, request).await {
        Ok(checkout) => {
            println!("there is such a version");
            checkout.release().await?;
        }
        Err(error @ ClientError::Unreachable { .. }) => return Err(error.into()),
        Err(error) => match error.kind() {
            Some(Reason::NoTemplate) => println!("no template has that version"),
            Some(Reason::GroupNotFound) => println!("there is no such group"),
            Some(Reason::QuotaExceeded) => println!("give something back first"),
            _ => return Err(error.into()),
        },
    }
    Ok(())
}
