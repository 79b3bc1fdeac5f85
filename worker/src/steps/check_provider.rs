//! Does the provider answer, and which templates are there? May be repeated: it only looks.

use sprout_proto::task::{CheckProviderOutput, StepOutput, step_output::Output};

use super::StepContext;
use crate::driver::{Report, Result};

pub(super) async fn run(ctx: &StepContext) -> Result<StepOutput> {
    ctx.status(None, "asking the provider");
    let Report { version, memory_mib, cpus } = ctx.check().await?;
    let mut templates = ctx.templates().await?;
    templates.sort_unstable();
    Ok(StepOutput {
        output: Some(Output::CheckProvider(CheckProviderOutput {
            version,
            templates,
            capabilities: ctx.capabilities(),
            memory_mib,
            cpus,
        })),
    })
}
