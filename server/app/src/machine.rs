//! Machines as staff look at them: what is on a provider, and what will become of it.

use sprout_domain::{
    Result, Timestamp,
    machine::{
        Machine, MachineKind,
        leftover::{Planned, plan, ripe},
    },
};

use crate::{
    App,
    ports::{MachineFilter, MachinePage},
};

/// A machine, and what will become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineView {
    /// The machine.
    pub machine: Machine,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// What will become of it and why, for people.
    pub note: String,
}

impl App {
    /// A page of what the last refresh found on a provider, by name.
    pub async fn machines(&self, filter: &MachineFilter, page: &MachinePage) -> Result<Vec<MachineView>> {
        let catalogue = self.catalogue();
        catalogue.provider(&filter.provider)?;
        let mut tx = self.ports.store.read().await?;
        let now = tx.now();
        let machines = tx.machines(filter, page).await?;
        let last_seen_at = tx.refreshed().await?.get(&filter.provider).copied().flatten();
        let (rules, marked) = (tx.rules().await?, tx.marked().await?);
        let marked = marked.get(&filter.provider).copied().unwrap_or_default();
        // Of all that may go: whether it is doubted depends on how many there are.
        let leftovers = tx.leftovers(Some(&filter.provider)).await?;
        let planned = plan(&leftovers, &rules, marked, now, catalogue.leak_grace);
        let view = |machine: Machine| {
            let plan = planned.iter().find(|planned| planned.machine.name == machine.name);
            let note = note(&machine, plan, now, catalogue.leak_grace);
            MachineView { last_seen_at: last_seen_at.unwrap_or(machine.since), note, machine }
        };
        Ok(machines.into_iter().map(view).collect())
    }
}

/// What will become of it, and why.
fn note(machine: &Machine, planned: Option<&Planned>, now: Timestamp, grace: std::time::Duration) -> String {
    let number = machine.appliance_id.map(|id| id.to_string()).unwrap_or_default();
    let at = |at: Timestamp| at.format("%F %T UTC").to_string();
    let failed = if machine.problem.is_empty() {
        String::new()
    } else {
        format!("; it could not be deleted the last time: {}", machine.problem)
    };
    if let Some(Planned { reason, not_before, doubted, .. }) = planned {
        return match (doubted, not_before) {
            (true, _) => format!(
                "not deleted before someone runs the job `leaks`, because most of what is ours here would go: {reason}{failed}"
            ),
            (false, Some(then)) => format!("deleted after {}: {reason}{failed}", at(*then)),
            (false, None) => format!("deleted now: {reason}{failed}"),
        };
    }
    match machine.kind {
        MachineKind::Tracked => format!("appliance {number}"),
        MachineKind::Untracked => "left alone: it does not carry our tag, and no clean-up rule is about it".to_owned(),
        MachineKind::Foreign => "left alone: it carries the tag of another Sprout installation".to_owned(),
        MachineKind::Leaked => format!("left alone: appliance {number}, whose tag it carries, is there"),
        MachineKind::Lost => match ripe(machine, now, grace) {
            Some(then) => {
                format!(
                    "gets a record after {}: it carries our tag, and there was never an appliance {number}",
                    at(then)
                )
            }
            None => format!(
                "left alone: it carries our tag with the number {number}, which cannot have been given; a clean-up rule may be about it"
            ),
        },
        MachineKind::Stray => format!(
            "left alone: it carries the tag of appliance {number}, which is, or was, called otherwise; a clean-up rule may be about it"
        ),
    }
}
