//! Pages of lists.

use std::collections::BTreeSet;

use sprout_proto::{
    appliance::{ListAppliancesRequest, appliance_service_client::ApplianceServiceClient},
    pool::{ListPoolsRequest, PoolState},
    template::ListTemplatesRequest,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, assert_refused, field, find_templates};

on_each_database!(pages_hold_everything_once, templates_are_paged_in_their_order, wrong_pages_are_refused);

async fn pages_hold_everything_once(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut made = BTreeSet::new();
    for _ in 0..4 {
        made.insert(served.pool("ann").await?.id);
    }
    served.pool("ben").await?;
    let mut client = served.pools("ann").await?;
    let (mut seen, mut sizes, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = ListPoolsRequest { page_size: 2, page_token, ..ListPoolsRequest::default() };
        let page = client.list_pools(request).await?.into_inner();
        assert!(page.pools.iter().all(|pool| pool.appliances.is_empty() && pool.owner == "ann"));
        sizes.push(page.pools.len());
        seen.extend(page.pools.into_iter().map(|pool| pool.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [2, 2], "the last full page says that it is the last");
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first: {seen:?}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);
    let all = served.pools("stan").await?.list_pools(ListPoolsRequest::default()).await?.into_inner();
    assert_eq!(all.pools.len(), 5);
    let of_ben = ListPoolsRequest { owner: Some("ben".to_owned()), ..ListPoolsRequest::default() };
    assert_eq!(served.pools("stan").await?.list_pools(of_ben.clone()).await?.into_inner().pools.len(), 1);
    assert_eq!(client.list_pools(of_ben).await?.into_inner().pools.len(), 0, "owners see only their own");
    let ended = ListPoolsRequest { states: vec![PoolState::Ended.into()], ..ListPoolsRequest::default() };
    assert_eq!(client.list_pools(ended).await?.into_inner().pools.len(), 0);
    let mut appliances = ApplianceServiceClient::new(served.of("ann").await?);
    let page = appliances.list_appliances(ListAppliancesRequest { page_size: 3, ..Default::default() }).await?;
    let page = page.into_inner();
    assert_eq!((page.appliances.len(), page.next_page_token.is_empty()), (3, false));
    Ok(())
}

async fn templates_are_paged_in_their_order(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.templates("ann").await?;
    let request = ListTemplatesRequest { page_size: 2, ..ListTemplatesRequest::default() };
    let first = client.list_templates(request.clone()).await?.into_inner();
    let versions = |templates: &[sprout_proto::template::Template]| {
        templates.iter().map(|template| template.version.clone()).collect::<Vec<_>>()
    };
    assert_eq!(versions(&first.templates), ["1.10", "1.9"]);
    // The template the page ended with goes; the next page goes on from its place nevertheless.
    find_templates(&served.database, &["1.0", "1.1", "1.10"]).await?;
    let next = ListTemplatesRequest { page_token: first.next_page_token, ..request };
    let second = client.list_templates(next.clone()).await?.into_inner();
    assert_eq!((versions(&second.templates), second.next_page_token.as_str()), (vec!["1.1".into(), "1.0".into()], ""));
    let elsewhere = ListTemplatesRequest { provider: Some("broken".to_owned()), ..next };
    let refused = client.list_templates(elsewhere).await;
    assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "begin again");
    let all = client.list_templates(ListTemplatesRequest { include_gone: true, ..Default::default() }).await?;
    assert_eq!(all.into_inner().templates.len(), 4);
    Ok(())
}

async fn wrong_pages_are_refused(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    let nothing = ListPoolsRequest::default;
    for (wrong, blamed) in [
        (ListPoolsRequest { page_token: "made up".to_owned(), ..nothing() }, "page_token"),
        (ListPoolsRequest { page_token: "7".to_owned(), ..nothing() }, "page_token"),
        (ListPoolsRequest { page_size: 1001, ..nothing() }, "page_size"),
        (ListPoolsRequest { states: vec![0], ..nothing() }, "states"),
        (ListPoolsRequest { states: vec![2, 77], ..nothing() }, "states"),
        (ListPoolsRequest { owner: Some(String::new()), ..nothing() }, "owner"),
    ] {
        let refused = client.list_pools(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    let wrong = ListTemplatesRequest { page_token: "made up".to_owned(), ..ListTemplatesRequest::default() };
    let refused = served.templates("ann").await?.list_templates(wrong).await;
    assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "next_page_token");
    let wrong = ListTemplatesRequest { group: Some("nope".to_owned()), ..ListTemplatesRequest::default() };
    let refused = served.templates("ann").await?.list_templates(wrong).await;
    assert_refused(refused, Code::NotFound, "GROUP_NOT_FOUND", "nope");
    Ok(())
}
