//! Takes appliances, says where they answer, and gives them back.
//!
//! `SPROUT_SERVER=… SPROUT_TOKEN=… cargo run -p sprout-client --example checkout GROUP [COUNT]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks")]

use std::{env, error::Error};

use sprout_client::{Checkout, Connection, DEFAULT_SERVER, Settings, Watched, proto::pool::RequestPoolRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = env::var("SPROUT_SERVER").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    let token = env::var("SPROUT_TOKEN").ok().map(Into::into);
    let connection = Connection::open(Settings { token, ..Settings::new(server) })?;

    let mut arguments = env::args().skip(1);
    let request = RequestPoolRequest {
        group: arguments.next().ok_or("name a group")?,
        count: arguments.next().map_or(Ok(1), |count| count.parse())?,
        description: "an example".to_owned(),
        ..RequestPoolRequest::default()
    };
    let mut checkout = Checkout::request(&connection, request).await?;
    let ready = checkout.ready(|news| match news {
        Watched::Message(news) => eprintln!("{}", news.message),
        Watched::Lost(error) => eprintln!("connection lost ({error}); going on …"),
        Watched::Back => eprintln!("connected again"),
    });
    ready.await?;

    // From here on the lease is extended in the background, until the end of `checkout`.
    for appliance in checkout.appliances() {
        println!("{} {} {}", appliance.name, appliance.version, appliance.url);
    }
    checkout.release().await?;
    Ok(())
}
