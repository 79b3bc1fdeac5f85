//! What may not be seen does not exist: providers and what is on them, for those who are in no user group with them.

use sprout_domain::user::{Role, User};
use sprout_proto::{
    appliance::ListAppliancesRequest,
    pool::{GetPoolRequest, RequestPoolRequest},
    provider::{GetProviderRequest, ListProvidersRequest, provider_service_client::ProviderServiceClient},
    template::ListTemplatesRequest,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Connection, PASSWORD, Served, assert_refused, wanted};

on_each_database!(
    who_is_in_no_user_group_sees_nothing,
    users_see_what_their_user_groups_have,
    who_is_put_out_of_a_user_group_sees_nothing_at_the_next_call,
    requests_of_different_sights_share_no_templates,
);

/// A user who is in no user group.
async fn outsider(served: &Served) -> anyhow::Result<User> {
    Ok(served.app.create_user("out", sprout_domain::Secret::new(PASSWORD), Role::User).await?)
}

async fn providers(served: &Served, name: &str) -> anyhow::Result<ProviderServiceClient<Connection>> {
    Ok(ProviderServiceClient::new(served.of(name).await?))
}

async fn listed(served: &Served, name: &str) -> anyhow::Result<Vec<String>> {
    let answer = providers(served, name).await?.list_providers(ListProvidersRequest {}).await?.into_inner();
    Ok(answer.providers.into_iter().map(|provider| provider.key).collect())
}

async fn superuser(served: &Served) -> anyhow::Result<User> {
    let signed_in = served.app.login("sue", sprout_domain::Secret::new(PASSWORD), None).await?;
    Ok(signed_in.user.user)
}

fn get(key: &str) -> GetProviderRequest {
    GetProviderRequest { key: key.to_owned() }
}

fn on(provider: &str) -> RequestPoolRequest {
    RequestPoolRequest { provider: Some(provider.to_owned()), ..wanted() }
}

async fn who_is_in_no_user_group_sees_nothing(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    outsider(&served).await?;
    assert!(listed(&served, "out").await?.is_empty());
    let hint = "in no user group with a provider";
    for key in ["lab", "nowhere"] {
        let refused = providers(&served, "out").await?.get_provider(get(key)).await;
        let refused = assert_refused(refused, Code::NotFound, "PROVIDER_NOT_FOUND", hint);
        assert!(!refused.message().contains("broken"), "{refused:?}");
        let refused = served.pools("out").await?.request_pool(on(key)).await;
        assert_refused(refused, Code::NotFound, "PROVIDER_NOT_FOUND", hint);
        let filtered = ListTemplatesRequest { provider: Some(key.to_owned()), ..Default::default() };
        let refused = served.templates("out").await?.list_templates(filtered).await;
        assert_refused(refused, Code::NotFound, "PROVIDER_NOT_FOUND", hint);
    }
    let templates = served.templates("out").await?.list_templates(ListTemplatesRequest::default()).await?.into_inner();
    assert!(templates.templates.is_empty());
    let refused = served.pools("out").await?.request_pool(wanted()).await;
    assert_refused(refused, Code::FailedPrecondition, "NO_TEMPLATE", hint);
    Ok(())
}

async fn users_see_what_their_user_groups_have(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    outsider(&served).await?;
    let sue = superuser(&served).await?;
    served.app.create_user_group(&sue, "few", vec!["out".to_owned()], vec!["broken".into()]).await?;
    assert_eq!(listed(&served, "out").await?, ["broken"]);
    assert_eq!(listed(&served, "ann").await?, ["broken", "lab"]);
    for staff in ["stan", "sue"] {
        assert_eq!(listed(&served, staff).await?, ["broken", "lab"], "{staff} is in no user group");
    }
    // Which user groups have a provider, staff are told.
    let all = providers(&served, "stan").await?.list_providers(ListProvidersRequest {}).await?.into_inner().providers;
    assert_eq!(all.iter().map(|one| &one.user_groups[..]).collect::<Vec<_>>(), [&["few", "testers"][..], &["testers"]]);
    let one = providers(&served, "stan").await?.get_provider(get("broken")).await?.into_inner().provider;
    assert_eq!(one.unwrap_or_default().user_groups, ["few", "testers"]);
    let one = providers(&served, "ann").await?.get_provider(get("broken")).await?.into_inner().provider;
    assert!(one.unwrap_or_default().user_groups.is_empty());
    let refused = providers(&served, "out").await?.get_provider(get("lab")).await;
    let refused = assert_refused(refused, Code::NotFound, "PROVIDER_NOT_FOUND", "known: broken");
    assert!(!refused.message().contains("lab,"), "{refused:?}");
    let refused = served.pools("out").await?.request_pool(wanted()).await;
    let refused = assert_refused(refused, Code::FailedPrecondition, "PROVIDER_NOT_USABLE", "broken");
    assert!(!refused.message().contains("lab"), "{refused:?}");
    Ok(())
}

async fn who_is_put_out_of_a_user_group_sees_nothing_at_the_next_call(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let sue = superuser(&served).await?;
    let pool = served.pool("ann").await?;
    let mut pools = served.pools("ann").await?;
    let out = sprout_app::UserGroupUpdate { remove_members: vec!["ann".to_owned()], ..Default::default() };
    served.app.update_user_group(&sue, "testers", &out).await?;
    assert!(listed(&served, "ann").await?.is_empty());
    assert!(pools.request_pool(wanted()).await.is_err());
    // What is one's own stays one's own.
    let mine = pools.get_pool(GetPoolRequest { id: pool.id }).await?.into_inner().pool.unwrap_or_default();
    assert_eq!(mine.appliances.len(), 1);
    let own = served.appliances("ann").await?.list_appliances(ListAppliancesRequest::default()).await?.into_inner();
    assert_eq!(own.appliances.len(), 1);
    served.app.delete_user_group(&sue, "testers").await?;
    assert!(listed(&served, "ben").await?.is_empty());
    Ok(())
}

/// They come at the same time, and could be served together.
async fn requests_of_different_sights_share_no_templates(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    outsider(&served).await?;
    let mut asked = Vec::new();
    for name in ["ann", "out", "stan", "ann", "out"] {
        let mut client = served.pools(name).await?;
        asked.push(async move { (name, client.request_pool(wanted()).await) });
    }
    for (name, answer) in futures::future::join_all(asked).await {
        assert_eq!(answer.is_ok(), name != "out", "{name}: {answer:?}");
    }
    Ok(())
}
