//! `sproutctl usage`

use sprout_client::proto::usage::{QueryUsageRequest, UsageDimension};

use crate::{
    args::usage::{Dimension, Usage},
    context::Context,
    failure::Failure,
    output::usage::{UsageTable, UsageView},
};

pub(crate) async fn run(context: &Context<'_>, args: Usage) -> Result<(), Failure> {
    let connection = context.connect()?;
    let by = args.by.clone();
    let request = QueryUsageRequest {
        from: args.from.unwrap_or_default(),
        to: args.to.unwrap_or_default(),
        by: args.by.iter().map(|dimension| to_proto(*dimension).into()).collect(),
        user: args.user,
        user_group: args.user_group,
        group: args.group,
        provider: args.provider,
    };
    let answer = connection.usage().query_usage(request).await.map_err(|status| connection.explain(status))?;
    let rows = answer.into_inner().rows.into_iter().map(|row| UsageView::new(row, &by)).collect();
    context.out.card(&UsageTable { rows, by })
}

fn to_proto(dimension: Dimension) -> UsageDimension {
    match dimension {
        Dimension::Day => UsageDimension::Day,
        Dimension::User => UsageDimension::User,
        Dimension::UserGroup => UsageDimension::UserGroup,
        Dimension::Group => UsageDimension::Group,
        Dimension::Provider => UsageDimension::Provider,
    }
}
