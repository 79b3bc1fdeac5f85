//! What the commands do, each in its file: ask the server through the public API, and give the answer to the printer.

mod appliance;
mod audit;
mod catalogue;
mod checkout;
mod cleanup;
mod completion;
mod config;
mod event;
mod group;
mod job;
mod login;
mod logout;
mod machine;
mod page;
mod pool;
mod provider;
mod quota;
mod shepherd;
mod stats;
mod status;
mod task;
mod template;
mod token;
mod usage;
mod user;
mod user_group;
mod wait;
mod whoami;
mod worker;
mod workflow;

use crate::{
    args::{
        Cli, Command, appliance::Appliance, other, pool::Pool, shepherd::Shepherd, task::Task, worker::Worker,
        workflow::Workflow,
    },
    context::Context,
    failure::Failure,
    output::Printer,
};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, out: &Printer) -> Result<(), Failure> {
    let context = Context::new(cli.connection, out);
    match cli.command {
        Command::Login(args) => login::run(&context, args).await,
        Command::Logout(args) => logout::run(&context, args).await,
        Command::Whoami => whoami::run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Checkout(args) => checkout::run(&context, *args).await,
        Command::Pool(Pool::Request(args)) => pool::request::run(&context, *args).await,
        Command::Pool(Pool::List(args)) => pool::list::run(&context, args).await,
        Command::Pool(Pool::Get(args)) => pool::get::run(&context, args).await,
        Command::Pool(Pool::Watch(args)) => pool::watch::run(&context, args).await,
        Command::Pool(Pool::Why(args)) => pool::why::run(&context, args).await,
        Command::Pool(Pool::Extend(args)) => pool::extend::run(&context, args).await,
        Command::Pool(Pool::Kill(args)) => pool::kill::run(&context, args).await,
        Command::Pool(Pool::KillAll(args)) => pool::kill_all::run(&context, args).await,
        Command::Pool(Pool::Find(args)) => pool::find::run(&context, args).await,
        Command::Pool(Pool::Events(args)) => pool::events::run(&context, args).await,
        Command::Pool(Pool::Describe(args)) => pool::describe::run(&context, args).await,
        Command::Pool(Pool::Clone(args)) => pool::clone::run(&context, args).await,
        Command::Pool(Pool::Merge(args)) => pool::merge::run(&context, args).await,
        Command::Pool(Pool::Transfer(args)) => pool::transfer::run(&context, args).await,
        Command::Appliance(Appliance::List(args)) => appliance::list::run(&context, args).await,
        Command::Appliance(Appliance::Get(args)) => appliance::get::run(&context, args).await,
        Command::Appliance(Appliance::Kill(args)) => appliance::kill::run(&context, args).await,
        Command::Appliance(Appliance::Forget(args)) => appliance::forget::run(&context, args).await,
        Command::Appliance(Appliance::Extend(args)) => appliance::extend::run(&context, args).await,
        Command::Appliance(Appliance::Hold(args)) => appliance::hold::run(&context, args).await,
        Command::Appliance(Appliance::Unhold(args)) => appliance::unhold::run(&context, args).await,
        Command::Appliance(Appliance::Describe(args)) => appliance::describe::run(&context, args).await,
        Command::Appliance(Appliance::Watch(args)) => appliance::watch::run(&context, args).await,
        Command::Appliance(Appliance::Events(args)) => appliance::events::run(&context, args).await,
        Command::Appliance(Appliance::Logs(args)) => appliance::logs::run(&context, args).await,
        Command::Appliance(Appliance::Start(args)) => appliance::operate::start(&context, args).await,
        Command::Appliance(Appliance::Stop(args)) => appliance::operate::stop(&context, args).await,
        Command::Appliance(Appliance::Suspend(args)) => appliance::operate::suspend(&context, args).await,
        Command::Appliance(Appliance::Resume(args)) => appliance::operate::resume(&context, args).await,
        Command::Appliance(Appliance::Reboot(args)) => appliance::operate::reboot(&context, args).await,
        Command::Appliance(Appliance::Rename(args)) => appliance::operate::rename(&context, args).await,
        Command::Appliance(Appliance::Reset(args)) => appliance::operate::reset(&context, args).await,
        Command::Appliance(Appliance::AttachDisk(args)) => appliance::operate::attach_disk(&context, args).await,
        Command::Appliance(Appliance::DetachDisk(args)) => appliance::operate::detach_disk(&context, args).await,
        Command::Appliance(Appliance::Console(args)) => appliance::console::run(&context, args).await,
        Command::Provider(other::Provider::List) => provider::list::run(&context).await,
        Command::Provider(other::Provider::Get(args)) => provider::get::run(&context, args).await,
        Command::Provider(other::Provider::Check(args)) => provider::check::run(&context, args).await,
        Command::Provider(other::Provider::Enable(args)) => provider::switch::enable(&context, args).await,
        Command::Provider(other::Provider::Disable(args)) => provider::switch::disable(&context, args).await,
        Command::Provider(other::Provider::Hide(args)) => provider::switch::hide(&context, args).await,
        Command::Provider(other::Provider::Show(args)) => provider::switch::show(&context, args).await,
        Command::Provider(other::Provider::CloseCircuit(args)) => provider::switch::close_circuit(&context, args).await,
        Command::Template(other::Template::Get(args)) => template::get::run(&context, args).await,
        Command::Template(other::Template::Release(args)) => template::get::release(&context, args).await,
        Command::Template(other::Template::List(args)) => template::list::run(&context, args).await,
        Command::Template(other::Template::Delete(args)) => template::delete::run(&context, args).await,
        Command::Template(other::Template::Prepare(args)) => template::prepare::run(&context, args).await,
        Command::Template(other::Template::Logs(args)) => template::logs::run(&context, args).await,
        Command::Template(other::Template::Prune(args)) => template::prune::run(&context, args).await,
        Command::Template(other::Template::Plan(args)) => template::plan::run(&context, args).await,
        Command::Catalogue(args) => catalogue::dispatch(&context, args).await,
        Command::Group(other::Group::List) => group::list::run(&context).await,
        Command::Group(other::Group::Get(args)) => group::get::run(&context, args).await,
        Command::Shepherd(Shepherd::List(args)) => shepherd::list::run(&context, args).await,
        Command::Shepherd(Shepherd::Set(args)) => shepherd::set::run(&context, args).await,
        Command::Shepherd(Shepherd::Plan(args)) => shepherd::plan::run(&context, args).await,
        Command::Worker(Worker::List(args)) => worker::list::run(&context, args).await,
        Command::Worker(Worker::Get(args)) => worker::get::run(&context, args).await,
        Command::Worker(Worker::Drain(args)) => worker::drain::run(&context, args).await,
        Command::Worker(Worker::Undrain(args)) => worker::undrain::run(&context, args).await,
        Command::Worker(Worker::Remove(args)) => worker::remove::run(&context, args).await,
        Command::Worker(Worker::Token(args)) => worker::token::run(&context, args).await,
        Command::Worker(Worker::Tokens) => worker::tokens::run(&context).await,
        Command::Worker(Worker::RevokeToken(args)) => worker::revoke_token::run(&context, args).await,
        Command::Task(Task::List(args)) => task::list::run(&context, args).await,
        Command::Task(Task::Get(args)) => task::get::run(&context, args).await,
        Command::Task(Task::Cancel(args)) => task::cancel::run(&context, args).await,
        Command::Task(Task::Retry(args)) => task::retry::run(&context, args).await,
        Command::Task(Task::Logs(args)) => task::logs::run(&context, args).await,
        Command::Workflow(Workflow::List(args)) => workflow::list::run(&context, args).await,
        Command::Workflow(Workflow::Get(args)) => workflow::get::run(&context, args).await,
        Command::Workflow(Workflow::Cancel(args)) => workflow::cancel::run(&context, args).await,
        Command::Workflow(Workflow::Ping(args)) => workflow::ping::run(&context, args).await,
        Command::Job(args) => job::dispatch(&context, args).await,
        Command::Config(args) => config::dispatch(&context, args).await,
        Command::Machine(args) => machine::dispatch(&context, args).await,
        Command::Cleanup(args) => cleanup::dispatch(&context, args).await,
        Command::Audit(args) => audit::dispatch(&context, args).await,
        Command::Stats(args) => stats::run(&context, args).await,
        Command::Usage(args) => usage::run(&context, args).await,
        Command::Event(other::Event::List(args)) => event::list::all(&context, args).await,
        Command::Event(other::Event::Watch(args)) => event::watch::run(&context, args).await,
        Command::User(args) => user::dispatch(&context, args).await,
        Command::UserGroup(args) => user_group::dispatch(&context, args).await,
        Command::Quota(args) => quota::dispatch(&context, args).await,
        Command::Token(args) => token::dispatch(&context, args).await,
        Command::Passwd(args) => user::passwd::own(&context, args).await,
        Command::Completion(args) => completion::run(&context, &args),
    }
}
