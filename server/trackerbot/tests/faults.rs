//! A trackerbot that answers as documented, and in all ways it should not.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{collections::BTreeSet, time::Duration};

use sprout_app::ports::Listings as _;
use sprout_domain::{Secret, catalogue::Source, catalogue_sync::Listing};
use sprout_test_support::trackerbot::{Fault, StandIn, object};
use sprout_trackerbot::{Limits, Trackerbots};

/// Five templates on three pages.
async fn bot() -> StandIn {
    let bot = StandIn::start().await.unwrap();
    let one = |n| object("lab", &format!("cfme-5.9.0.{n}-20180101"), "downstream-59z", "2018-01-01", n != 3);
    bot.list((0..5).map(one).collect(), 2);
    bot
}

async fn read(url: &str) -> Listing {
    read_as(url, "").await
}

async fn read_as(url: &str, authorization: &str) -> Listing {
    let limits = Limits {
        page: Duration::from_millis(800),
        whole: Duration::from_secs(5),
        pause: Duration::from_millis(1),
        bytes: 4096,
        pages: 20,
        ..Limits::default()
    };
    let source = Source {
        url: url.to_owned(),
        ca_pem: String::new(),
        authorization: Secret::new(authorization),
        groups: BTreeSet::new(),
    };
    Trackerbots { limits }.read(&source).await
}

#[tokio::test]
async fn all_pages_are_read() {
    let bot = bot().await;
    let listing = read(&bot.url()).await;
    assert!(listing.is_whole(), "{listing:?}");
    assert_eq!(listing.listed.iter().map(|listed| listed.usable).collect::<Vec<_>>(), [true, true, true, false, true]);
    let asked = ["", "&offset=2", "&offset=4"].map(|rest| format!("/api/providertemplate/?limit=100{rest}"));
    assert_eq!(bot.asked(), asked);
}

#[tokio::test]
async fn whoever_asks_is_named_on_each_page_and_in_no_message() {
    let bot = bot().await;
    bot.require("ApiKey sprout:s3cret");
    let listing = read_as(&bot.url(), "ApiKey sprout:s3cret").await;
    assert!(listing.is_whole() && listing.listed.len() == 5, "{listing:?}");
    for (shown, part) in [
        (
            "ApiKey sprout:other",
            "page 1: it does not accept the credentials of this catalogue (status 401 Unauthorized)",
        ),
        ("", "page 1: it wants to know who asks (status 401 Unauthorized); give the catalogue `credentials`"),
        ("two\nlines", "the credentials of this catalogue hold what no header can"),
    ] {
        let listing = read_as(&bot.url(), shown).await;
        assert!(listing.failure.contains(part) && !listing.failure.contains("other"), "{}", listing.failure);
    }
}

/// What was right before is there, and what was wrong is told.
#[tokio::test]
async fn faults_of_a_page_end_the_reading() {
    let there = "http://192.0.2.1/api/providertemplate/?limit=100&offset=4".to_owned();
    for (fault, part, tries) in [
        (Fault::Html, "page 2: it is a web page, not JSON", 2),
        (Fault::Status(500), "page 2: it answers with status 500", 2),
        (Fault::Status(403), "page 2: it wants to know who asks (status 403 Forbidden)", 1),
        (Fault::HalfAnAnswer, "page 2: its answer was cut off", 2),
        (Fault::HalfAPage, "page 2: it ends in the middle", 2),
        (Fault::Redirect("https://sso.example/".to_owned()), "page 2: it redirects to https://sso.example/", 1),
        (Fault::Larger(5000), "page 2: it is larger than 4096 bytes", 1),
        (Fault::Silence, "page 2: it does not answer in time", 2),
    ] {
        let bot = bot().await;
        bot.fault(1, fault.clone(), true);
        let listing = read(&bot.url()).await;
        assert!(listing.failure.contains(part), "{fault:?}: {}", listing.failure);
        assert_eq!((listing.listed.len(), bot.asked().len()), (2, 1 + tries), "{fault:?}");
        assert!(!listing.is_whole());
    }
    for (fault, part) in [
        (Fault::Again, "page 3 would be one that was read already"),
        (Fault::NextAt(there), "page 2: its next page is http://192.0.2.1/"),
        (Fault::NextAt("/admin/?limit=100".to_owned()), "which is not of the same list"),
        (Fault::NextAt("http://[".to_owned()), "is no URL"),
    ] {
        let bot = bot().await;
        bot.fault(1, fault.clone(), true);
        let listing = read(&bot.url()).await;
        assert!(listing.failure.contains(part), "{fault:?}: {}", listing.failure);
        assert_eq!((listing.listed.len(), bot.asked().len()), (4, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_once_more() {
    let bot = bot().await;
    bot.fault(0, Fault::Status(503), false);
    bot.fault(2, Fault::HalfAnAnswer, false);
    let listing = read(&bot.url()).await;
    assert!(listing.is_whole() && listing.listed.len() == 5, "{listing:?}");
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let bot = bot().await;
    bot.fault(0, Fault::NeverEnds, true);
    let listing = read(&bot.url()).await;
    assert!(listing.failure.contains("page 4 is empty, and names a next one"), "{}", listing.failure);
    assert_eq!(listing.listed.len(), 5);

    let one = |n| object("lab", &format!("cfme-5.9.0.{n}-20180101"), "downstream-59z", "2018-01-01", true);
    bot.list((0..50).map(one).collect(), 2);
    let listing = read(&bot.url()).await;
    assert_eq!((&*listing.failure, listing.listed.len()), ("it has more than 20 pages", 40));
}

#[tokio::test]
async fn a_list_that_lost_something_is_not_whole() {
    let bot = bot().await;
    bot.claim(6);
    let listing = read(&bot.url()).await;
    assert_eq!(listing.failure, "it says that it lists 6, and listed 5");
    assert_eq!(listing.listed.len(), 5);
}

#[tokio::test]
async fn nobody_there_or_not_where_it_should_be() {
    let bot = bot().await;
    let url = bot.url();
    assert!(read(&format!("{url}/hub")).await.failure.contains("status 404"));
    drop(bot);
    assert!(read(&url).await.failure.contains("page 1: it"), "{}", read(&url).await.failure);
    let source = Source { url, ca_pem: "nonsense".to_owned(), authorization: Secret::new(""), groups: BTreeSet::new() };
    let listing = Trackerbots::default().read(&source).await;
    assert!(!listing.failure.is_empty());
}
