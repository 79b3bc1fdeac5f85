//! What the commands do, each in its file: ask the server through the public API, and give the answer to the printer.

mod appliance;
mod completion;
mod event;
mod group;
mod login;
mod logout;
mod page;
mod pool;
mod provider;
mod status;
mod template;
mod user;
mod whoami;
mod worker;

use crate::{
    args::{Cli, Command, appliance::Appliance, other, pool::Pool, session},
    context::Context,
    failure::Failure,
    output::Printer,
};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, out: &Printer) -> Result<(), Failure> {
    let context = Context::new(cli.connection, out);
    match cli.command {
        Command::Login(args) => login::run(&context, args).await,
        Command::Logout => logout::run(&context).await,
        Command::Whoami => whoami::run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Pool(Pool::Request(args)) => pool::request::run(&context, *args).await,
        Command::Pool(Pool::List(args)) => pool::list::run(&context, args).await,
        Command::Pool(Pool::Get(args)) => pool::get::run(&context, args).await,
        Command::Pool(Pool::Watch(args)) => pool::watch::run(&context, args).await,
        Command::Pool(Pool::Extend(args)) => pool::extend::run(&context, args).await,
        Command::Pool(Pool::Kill(args)) => pool::kill::run(&context, args).await,
        Command::Appliance(Appliance::List(args)) => appliance::list::run(&context, args).await,
        Command::Appliance(Appliance::Get(args)) => appliance::get::run(&context, args).await,
        Command::Appliance(Appliance::Kill(args)) => appliance::kill::run(&context, args).await,
        Command::Appliance(Appliance::Extend(args)) => appliance::extend::run(&context, args).await,
        Command::Appliance(Appliance::Logs(args)) => appliance::logs::run(&context, args).await,
        Command::Provider(other::Provider::List) => provider::list::run(&context).await,
        Command::Provider(other::Provider::Get(args)) => provider::get::run(&context, args).await,
        Command::Provider(other::Provider::Check(args)) => provider::check::run(&context, args).await,
        Command::Template(other::Template::List(args)) => template::list::run(&context, args).await,
        Command::Group(other::Group::List) => group::list::run(&context).await,
        Command::Group(other::Group::Get(args)) => group::get::run(&context, args).await,
        Command::Worker(other::Worker::List) => worker::list::run(&context).await,
        Command::Event(other::Event::Watch(args)) => event::watch::run(&context, args).await,
        Command::User(session::User::Create(args)) => user::create::run(&context, args).await,
        Command::Completion(args) => completion::run(&context, &args),
    }
}
