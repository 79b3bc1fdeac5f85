//! Lists everything on the provider. May be repeated: it only looks.
//!
//! Of what carries our marks all is told that may have changed; of the rest only what is needed to name it.

use sprout_proto::task::{
    ListMachinesOutput, ListMachinesStep, ListedMachine, Marks, PublishedAs, StepOutput, step_output::Output,
};

use super::{StepContext, invalid};
use crate::driver::{Instance, Result};

pub(super) async fn run(ctx: &StepContext, step: &ListMachinesStep) -> Result<StepOutput> {
    if step.installation_id.is_empty() {
        return Err(invalid("the step names no installation; this is a mistake of the server, report it"));
    }
    ctx.status(None, "listing what is there");
    let mut machines: Vec<_> =
        ctx.list().await?.into_iter().map(|instance| listed(instance, &step.installation_id)).collect();
    machines.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(StepOutput { output: Some(Output::ListMachines(ListMachinesOutput { machines })) })
}

fn listed(instance: Instance, installation: &str) -> ListedMachine {
    let (name, power_state) = (instance.name, instance.power.into());
    let bare = |marks: Marks| ListedMachine {
        name: name.clone(),
        power_state,
        marks: marks.into(),
        ..ListedMachine::default()
    };
    match instance.tags {
        None => bare(Marks::None),
        Some(tags) if tags.installation_id != installation => bare(Marks::Others),
        Some(tags) => ListedMachine {
            appliance_id: tags.appliance_id,
            address: instance.address,
            published: instance.published.into_iter().map(published).collect(),
            console_url: instance.console_url,
            ..bare(Marks::Ours)
        },
    }
}

fn published((port, (host, host_port)): (u16, (String, u16))) -> PublishedAs {
    PublishedAs { port: port.into(), host, host_port: host_port.into() }
}
