//! `sproutctl pool extend`

use sprout_client::proto::pool::ExtendPoolRequest;

use super::pool_of;
use crate::{args::pool::Extend, context::Context, failure::Failure, output::time};

pub(crate) async fn run(context: &Context<'_>, args: Extend) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = ExtendPoolRequest { id: args.id, lease: args.lease.map(time::to_proto), never_expire: args.never };
    let answer = connection.pools().extend_pool(request).await.map_err(|status| connection.explain(status))?;
    context.out.card(&pool_of(answer.into_inner().pool)?)
}
