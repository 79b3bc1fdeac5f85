//! The nouns that are only looked at: providers, templates, groups, events.

use std::time::Duration;

use clap::{Args, Subcommand};
use sprout_client::proto::event::EventKind;

use super::{duration, id};

/// See and check the places that run appliances.
#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// List providers.
    List,
    /// Show one provider.
    Get(Key),
    /// Have workers look at a provider, or at all of them, now (staff).
    Check(Check),
    /// Use a provider for new appliances again (staff).
    Enable(Key),
    /// Use a provider for no new appliances; those that are there stay (staff).
    Disable(Key),
    /// Let nobody but staff see a provider, and use it for no new appliances (staff).
    Hide(Key),
    /// Let users see a provider again (staff).
    Show(Key),
    /// Use a provider again now that was left alone because deployments failed there (staff).
    CloseCircuit(Key),
}

/// Names a provider.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// Key of the provider.
    pub(crate) key: String,
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Key of the provider [default: all that are not disabled].
    pub(crate) key: Option<String>,
    /// Wait for the outcome.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; what was begun goes on.
    #[arg(long, value_parser = duration::parse, requires = "wait", default_value = "5m")]
    pub(crate) timeout: Duration,
}

/// See the images that appliances are cloned from.
#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// List templates, newest version and date first.
    List(Templates),
    /// Show one template.
    Get(TemplateId),
    /// Use a quarantined template again; its specimen is killed (staff).
    Release(TemplateId),
    /// Use a template no more, and delete it on its provider when its last appliance is gone (staff).
    Delete(DeleteTemplate),
    /// Make a preconfigured template of one that is not, as its group says (staff).
    Prepare(PrepareTemplate),
    /// Show what was said while a template was prepared (staff).
    Logs(TemplateLogs),
    /// Delete templates that are too old, or superfluous (staff).
    ///
    /// Each is used no more at once, and deleted on its provider when its last appliance is gone. `template plan` tells why.
    Prune(Prune),
    /// Show which templates are suggested for deletion, used no more or to be deleted, and why; changes nothing (staff).
    Plan(Planned),
}

/// A template to delete.
#[derive(Debug, Args)]
pub(crate) struct DeleteTemplate {
    /// Id of the template.
    pub(crate) id: u64,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Wait until it is gone.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; what was begun goes on.
    #[arg(long, value_parser = duration::parse, requires = "wait", default_value = "15m")]
    pub(crate) timeout: Duration,
}

/// A template to prepare.
#[derive(Debug, Args)]
pub(crate) struct PrepareTemplate {
    /// Id of the template.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Wait until the new one is ready.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; what was begun goes on.
    #[arg(long, value_parser = duration::parse, requires = "wait", default_value = "2h")]
    pub(crate) timeout: Duration,
}

/// Whose log to show.
#[derive(Debug, Args)]
pub(crate) struct TemplateLogs {
    /// Id of the template that is being made, or was.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Go on until the preparation has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// Which templates to delete.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) of: Planned,
    /// Also those that are suggested for deletion: all but the newest version of each z-stream.
    #[arg(long)]
    pub(crate) suggested: bool,
    /// Only say which.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Which templates to judge.
#[derive(Debug, Args)]
pub(crate) struct Planned {
    /// Only those of this group.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those on this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
}

/// Names a template.
#[derive(Debug, Args)]
pub(crate) struct TemplateId {
    /// Id of the template.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
}

/// Which templates to list.
#[derive(Debug, Args)]
pub(crate) struct Templates {
    /// Only those of this group.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those on this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Also those that are gone.
    #[arg(long)]
    pub(crate) gone: bool,
    /// Only those suggested for deletion, because newer ones make them superfluous.
    #[arg(long)]
    pub(crate) suggested: bool,
    /// Only those released to everyone, as catalogues say.
    #[arg(long)]
    pub(crate) released: bool,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// See the product lines.
#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// List groups.
    List,
    /// Show one group.
    Get(Name),
}

/// Names a group.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Name of the group.
    pub(crate) name: String,
}

/// See what happens.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// List what happened to all that you may see, the latest first.
    List(EventList),
    /// Print events as they happen, of all that you may see, until Ctrl-C.
    Watch(Events),
}

/// Which events to list.
#[derive(Debug, Args)]
pub(crate) struct EventList {
    /// Only of this kind, such as `pool_state`; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = event_kind)]
    pub(crate) kind: Vec<EventKind>,
    /// List at most this many, the latest.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

fn event_kind(text: &str) -> Result<EventKind, String> {
    let name = format!("EVENT_KIND_{}", text.to_uppercase());
    let known = EventKind::from_str_name(&name).filter(|kind| *kind != EventKind::Unspecified);
    known.ok_or_else(|| format!("there is no kind of event {text}; `event watch` shows them"))
}

/// Which events to print.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Begin behind this sequence; 0: with the oldest kept [default: only new ones].
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) after: Option<u64>,
    /// Only events about this pool and its appliances.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
    pub(crate) pool: Option<u64>,
    /// Only events about this appliance.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
    pub(crate) appliance: Option<u64>,
    /// Only of this kind, such as `pool_state`; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = event_kind)]
    pub(crate) kind: Vec<EventKind>,
}
