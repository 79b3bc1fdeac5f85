//! `sproutctl machine list`

use sprout_client::proto::provider::{ListMachinesRequest, MachineKind};

use crate::{
    args::machine::{Kind, List},
    commands::page,
    context::Context,
    failure::Failure,
    output::machine::MachineView,
};

pub(super) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let kind = |kind: &Kind| match kind {
        Kind::Tracked => MachineKind::Tracked,
        Kind::Untracked => MachineKind::Untracked,
        Kind::Leaked => MachineKind::Leaked,
    };
    let kinds: Vec<i32> = args.kind.iter().map(|wanted| kind(wanted).into()).collect();
    let machines = page::all(context.out, args.limit, async |page_size, page_token| {
        let request =
            ListMachinesRequest { provider: args.provider.clone(), kinds: kinds.clone(), page_size, page_token };
        let page = connection.providers().list_machines(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.machines, page.next_page_token))
    })
    .await?;
    context.out.list(&machines.into_iter().map(MachineView::from).collect::<Vec<_>>())
}
