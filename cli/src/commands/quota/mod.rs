//! `sproutctl quota …`

use sprout_client::proto::user::{self, GetUserRequest, SetQuotaRequest};

use crate::{
    args::user::{Limit, Quota, QuotaOf, SetQuota},
    context::Context,
    failure::Failure,
    output::user::QuotaView,
};

/// Does what was asked of quotas.
pub(crate) async fn dispatch(context: &Context<'_>, asked: Quota) -> Result<(), Failure> {
    match asked {
        Quota::Get(args) => get(context, args).await,
        Quota::Set(args) => set(context, args).await,
    }
}

async fn get(context: &Context<'_>, args: QuotaOf) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = GetUserRequest { name: args.name.unwrap_or_default() };
    let answer = connection.users().get_user(request).await.map_err(|status| connection.explain(status))?;
    let answer = answer.into_inner();
    context.out.card(&QuotaView::new(answer.user.unwrap_or_default().name, answer.quota, answer.r#use))
}

async fn set(context: &Context<'_>, args: SetQuota) -> Result<(), Failure> {
    let connection = context.connect()?;
    let get = GetUserRequest { name: args.name.clone() };
    let now = connection.users().get_user(get).await.map_err(|status| connection.explain(status))?;
    let now = now.into_inner().quota.unwrap_or_default();
    let quota = user::Quota {
        appliances_per_pool: limit(args.appliances_per_pool, now.appliances_per_pool),
        pools: limit(args.pools, now.pools),
        appliances: limit(args.appliances, now.appliances),
        weight: args.weight.or(now.weight),
    };
    let request = SetQuotaRequest { user: args.name.clone(), quota: Some(quota) };
    let answer = connection.users().set_quota(request).await.map_err(|status| connection.explain(status))?;
    let answer = answer.into_inner();
    context.out.card(&QuotaView::new(args.name, answer.quota, answer.r#use))
}

/// The new limit, or that which there is.
fn limit(new: Option<Limit>, now: Option<u32>) -> Option<u32> {
    new.map_or(now, |Limit(limit)| limit)
}
