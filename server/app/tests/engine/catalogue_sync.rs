//! What a catalogue says of templates: which may be used, what follows of it, and that nothing is done twice.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use sprout_app::{
    WantedShepherd,
    ports::{ApplianceFilter, Listings, Page, Store as _, TemplateFilter},
};
use sprout_domain::{
    Reason, Secret,
    appliance::ApplianceState,
    catalogue::Source,
    catalogue_sync::{Listed, Listing, Look, Place, Problem, ProblemKind},
    group::TemplatePattern,
    provider::Totals,
    template::{Said, Template},
    user::{Role, User},
    workflow::{StepErrorReason, StepKind, StepOutput},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{Worker, World, badly, key};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_source_says_what_may_be_used,
    a_second_sync_writes_nothing,
    warm_appliances_of_what_may_not_be_used_go,
    what_is_listed_no_more_is_used_no_more_if_it_can_be_believed,
    what_is_listed_and_not_seen_is_looked_for,
    without_a_source_what_is_found_is_used,
    names_that_say_nothing_are_told,
    what_is_not_configured_any_more_is_forgotten,
    those_who_write_templates_wait_for_nobody_in_a_circle,
);

/// A source that says what a test wants.
#[derive(Debug, Default)]
pub(crate) struct Says(Mutex<Listing>);

#[async_trait]
impl Listings for Says {
    async fn read(&self, _: &Source) -> Listing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Says {
    pub(crate) fn lists(&self, templates: &[(&str, bool)]) {
        let one = |(name, usable): &(&str, bool)| Listed {
            provider: "lab".to_owned(),
            name: (*name).to_owned(),
            group: "app".to_owned(),
            date: None,
            usable: *usable,
            ga_released: false,
            custom_data: String::new(),
        };
        self.says(Listing { listed: templates.iter().map(one).collect(), ..Listing::default() });
    }

    fn says(&self, listing: Listing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = listing;
    }
}

impl World {
    /// From now on, group "app" has a source.
    async fn with_source(database: TestDatabase) -> anyhow::Result<Self> {
        let world = Self::new(database).await?;
        world.add_source().await?;
        Ok(world)
    }

    /// The same, of a world that is there.
    pub(crate) async fn add_source(&self) -> anyhow::Result<()> {
        let mut catalogue = (*self.app.catalogue()).clone();
        let groups = BTreeSet::from(["app".into()]);
        catalogue.sources.insert(
            "bot".to_owned(),
            Source { url: String::new(), ca_pem: String::new(), authorization: Secret::new(""), groups },
        );
        Ok(self.app.set_catalogue(catalogue).await?)
    }

    async fn usable(&self) -> anyhow::Result<Vec<String>> {
        let mut tx = self.database.store().read().await?;
        let found = tx.templates(&TemplateFilter { usable_only: true, ..TemplateFilter::default() }).await?;
        Ok(found.into_iter().map(|template| template.name).collect())
    }

    async fn template_named(&self, name: &str) -> anyhow::Result<Template> {
        let mut tx = self.database.store().read().await?;
        let all = tx.templates(&TemplateFilter { with_gone: true, ..TemplateFilter::default() }).await?;
        all.into_iter().find(|template| template.name == name).ok_or_else(|| anyhow::anyhow!("no {name}"))
    }

    async fn look(&self, place: Place) -> anyhow::Result<Option<Look>> {
        Ok(self.app.catalogue_status().await?.looks.into_iter().map(|(look, _)| look).find(|look| look.place == place))
    }

    /// Has the provider looked at, where these templates are.
    async fn sees(&self, worker: &Worker, templates: &[&str]) -> anyhow::Result<()> {
        self.app.check_provider(&"lab".into()).await?;
        seen(worker, templates).await
    }
}

fn bot() -> Place {
    Place::Source("bot".to_owned())
}

/// Does the check that is asked for.
async fn seen(worker: &Worker, templates: &[&str]) -> anyhow::Result<()> {
    let claimed = worker.claim().await?;
    assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [StepKind::CheckProvider]);
    let templates = templates.iter().map(|name| (*name).to_owned()).collect();
    let output = StepOutput::Provider {
        version: "1".to_owned(),
        templates,
        capabilities: BTreeSet::default(),
        totals: Totals::default(),
    };
    assert!(worker.finish(key(&claimed[0]), Ok(output)).await?);
    Ok(())
}

async fn a_source_says_what_may_be_used(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let says = Says::default();
    assert_eq!(world.usable().await?, ["app-1.0"], "it was not asked yet");
    let told = world.app.sync_catalogues(&says, false).await?;
    assert_eq!(told, "bot: 1 of those that are there used otherwise (0 listed, 0 of other groups or providers)");
    assert!(world.usable().await?.is_empty());
    let refused = world.request(1, HOUR).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NoTemplate);
    assert!(refused.message.contains("catalogue bot does not list it"), "{}", refused.message);

    says.lists(&[("app-1.0", true)]);
    world.app.sync_catalogues(&says, false).await?;
    assert_eq!(world.usable().await?, ["app-1.0"]);
    world.request(1, HOUR).await?;

    let plain = says.0.lock().unwrap_or_else(PoisonError::into_inner).listed.remove(0);
    let released = Listed { ga_released: true, custom_data: r#"{"vm":{"size":2}}"#.to_owned(), ..plain };
    says.says(Listing { listed: vec![released.clone()], ..Listing::default() });
    world.app.sync_catalogues(&says, false).await?;
    let said = world.template_named("app-1.0").await?.said;
    let known = Said { unusable: String::new(), ga_released: true, custom_data: released.custom_data };
    assert_eq!(said, known);
    let worker = world.worker("w", &[]).await?;
    worker.work().await?;
    world.sees(&worker, &["app-1.0"]).await?;
    assert_eq!(world.template_named("app-1.0").await?.said, known, "a look at the provider knows it, too");

    says.lists(&[("app-1.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    assert!(!world.template_named("app-1.0").await?.said.ga_released);
    assert_eq!(world.template_named("app-1.0").await?.said.unusable, "catalogue bot says that it is not usable");
    let look = world.look(bot()).await?.unwrap();
    assert_eq!((look.listed, look.usable, look.problem_count), (1, 0, 0));
    assert_eq!(look.change, "1 listed anew as not usable, 1 of those that are there used otherwise");
    assert!(look.changed_at.is_some());
    Ok(())
}

async fn a_second_sync_writes_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let worker = world.worker("w", &[]).await?;
    let says = Says::default();
    let malformed = Problem {
        kind: ProblemKind::Malformed,
        provider: "lab".to_owned(),
        subject: "number 3".to_owned(),
        message: "page 1: `usable` is a text".to_owned(),
    };
    for listing in [
        Listing::default(),
        Listing { problems: vec![malformed], ..Listing::default() },
        Listing { failure: "page 2: it answers with status 500".to_owned(), ..Listing::default() },
    ] {
        let one = |name: &str, group: &str, usable| Listed {
            provider: "lab".to_owned(),
            name: name.to_owned(),
            group: group.to_owned(),
            date: None,
            usable,
            ga_released: false,
            custom_data: String::new(),
        };
        let listed = vec![
            one("app-1.0", "app", true),
            one("app-0.9", "app", false),
            one("x", "app", true),
            one("y", "other", true),
        ];
        says.says(Listing { listed, ..listing });
        let first = world.app.sync_catalogues(&says, false).await;
        world.sees(&worker, &["app-1.0", "whatever"]).await?;
        let changes = world.database.changes().await?;
        let before = changes.look().await?;
        let second = world.app.sync_catalogues(&says, false).await;
        assert_eq!(first.is_ok(), second.is_ok());
        let says = second.unwrap_or_else(|error| error.message);
        assert!(says.starts_with("bot: nothing changed (2 listed, 1 of other groups or providers"), "{says}");
        assert_eq!(changes.look().await?, before);
    }
    // That it would be seen.
    let changes = world.database.changes().await?;
    let before = changes.look().await?;
    says.lists(&[("app-1.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    assert_ne!(changes.look().await?, before);
    Ok(())
}

async fn warm_appliances_of_what_may_not_be_used_go(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let says = Says::default();
    says.lists(&[("app-1.0", true)]);
    world.app.sync_catalogues(&says, false).await?;
    world.warm(3).await?;
    let staff = User { role: Role::Staff, ..world.user.clone() };
    let two = WantedShepherd { group: "app".into(), user_group: None, preconfigured: 2, unconfigured: 0, demand: None };
    world.app.set_shepherd(&staff, two).await?;
    let pool = world.request(1, HOUR).await?;

    says.lists(&[("app-1.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    assert_eq!(world.request(1, HOUR).await.unwrap_err().reason, Reason::NoTemplate, "though there are warm ones");
    world.app.refill_warm().await?;
    let states = async |warm| {
        let filter = ApplianceFilter { warm, group: Some("app".into()), ..ApplianceFilter::default() };
        let page = Page { before: None, limit: 9 };
        let found = world.database.store().read().await?.appliances(&filter, page).await?;
        anyhow::Ok(found.into_iter().map(|appliance| appliance.state).collect::<Vec<_>>())
    };
    assert_eq!(states(true).await?, [ApplianceState::Killing; 2]);
    assert_eq!(world.pool(pool).await?.appliances[0].state, ApplianceState::Ready, "what is a pool's stays");
    world.app.refill_warm().await?;
    assert_eq!(states(true).await?.len(), 2, "and none is made");
    Ok(())
}

async fn what_is_listed_no_more_is_used_no_more_if_it_can_be_believed(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let says = Says::default();
    let names: Vec<_> = (1..=12).map(|n| format!("app-1.{n}")).collect();
    let mut many: Vec<_> = names.iter().map(|name| (&**name, true)).collect();
    many.push(("app-1.0", true));
    says.lists(&many);
    world.app.sync_catalogues(&says, false).await?;
    assert_eq!(world.usable().await?, ["app-1.0"]);

    let failure = "page 1: it answers with status 500".to_owned();
    says.says(Listing { failure: failure.clone(), ..Listing::default() });
    let failed = world.app.sync_catalogues(&says, true).await.unwrap_err();
    assert_eq!(failed.reason, Reason::CatalogueUnreadable);
    assert!(failed.message.contains(&failure), "{}", failed.message);
    assert_eq!(world.usable().await?, ["app-1.0"], "it was not read");
    let look = world.look(bot()).await?.unwrap();
    assert_eq!((look.failure, look.failed_since.is_some(), look.listed), (failure, true, 13));

    says.lists(&[]);
    let failed = world.app.sync_catalogues(&says, false).await.unwrap_err();
    assert!(
        failed.message.contains("13 of 13 templates are listed no more, which looks like a mistake"),
        "{}",
        failed.message
    );
    assert_eq!(world.usable().await?, ["app-1.0"]);
    world.app.sync_catalogues(&says, true).await?;
    assert!(world.usable().await?.is_empty(), "someone asked for it");
    let look = world.look(bot()).await?.unwrap();
    assert_eq!((look.failure, look.failed_since, look.listed), (String::new(), None, 0));
    Ok(())
}

async fn what_is_listed_and_not_seen_is_looked_for(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let worker = world.worker("w", &[]).await?;
    let says = Says::default();
    says.lists(&[("app-1.0", true), ("app-2.0", true), ("app-3.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    seen(&worker, &["app-1.0", "app-2.0", "app-2.5", "app-3.0"]).await?;
    assert_eq!(
        world.usable().await?.into_iter().collect::<BTreeSet<_>>(),
        ["app-1.0", "app-2.0"].map(String::from).into()
    );
    assert_eq!(world.template_named("app-2.5").await?.said.unusable, "catalogue bot does not list it");
    let newest = world.app.pool(&world.user, world.request(1, HOUR).await?).await?.pool.version;
    assert_eq!(newest.as_str(), "2.0");

    says.lists(&[("app-1.0", true), ("app-2.0", true), ("app-3.0", false), ("app-4.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    assert!(worker.work().await?.iter().all(|step| *step != StepKind::CheckProvider), "nothing is there to be used");
    Ok(())
}

async fn without_a_source_what_is_found_is_used(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let worker = world.worker("w", &[]).await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    catalogue.without_source.insert("lab".into());
    let app = catalogue.groups.values().next().unwrap().clone();
    for stream in ["downstream-511z", "upstream"] {
        let group = sprout_domain::group::Group { name: stream.into(), pattern: None, ..app.clone() };
        catalogue.groups.insert(group.name.clone(), group);
    }
    world.app.set_catalogue(catalogue).await?;
    world.app.sync_catalogues(&Says::default(), false).await?;
    let names = [
        "app-1.0",
        "cfme-5.11.7.3-20200910",
        "cfme-5.11.7.4-extdb-20200911",
        "cfme-5.11.7.5-pv-20200912",
        "cfme-5.9.0.22-20180101",
        "miq-nightly-202009120000",
        "cfme-511011-0912",
        "s_tpl_downstream-511z_200912_abcdefgh",
    ];
    world.sees(&worker, &names).await?;
    let of = async |name: &str| {
        let template = world.template_named(name).await?;
        anyhow::Ok(format!("{} {} {}", template.group, template.version, template.said.unusable))
    };
    assert_eq!(of("cfme-5.11.7.3-20200910").await?, "downstream-511z 5.11.7.3 ");
    assert_eq!(of("miq-nightly-202009120000").await?, "upstream ...20200912 ");
    assert_eq!(
        of("cfme-5.11.7.4-extdb-20200911").await?,
        "downstream-511z 5.11.7.4 builds of type extdb are not used, says rule cfme"
    );
    let yearless = world.template_named("cfme-511011-0912").await?;
    assert!(yearless.date <= yearless.found_at.date_naive() && yearless.date.to_string().ends_with("-09-12"));
    for other in ["cfme-5.9.0.22-20180101", "s_tpl_downstream-511z_200912_abcdefgh"] {
        assert!(world.template_named(other).await.is_err(), "{other} is of no group of ours");
    }
    let order: Vec<_> =
        world.app.templates(&world.user, &TemplateFilter::default()).await?.iter().map(|t| t.id.0).collect();
    assert_eq!(order.len(), 5);

    // Seen again, it is as it was.
    let before = world.template_named("cfme-511011-0912").await?;
    world.sees(&worker, &names).await?;
    assert_eq!(world.template_named("cfme-511011-0912").await?, before);
    Ok(())
}

async fn names_that_say_nothing_are_told(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    let app = catalogue.groups.values().next().unwrap().clone();
    let pattern = Some(TemplatePattern::new("app-(?<version>2.*)")?);
    catalogue.groups.insert("appl".into(), sprout_domain::group::Group { name: "appl".into(), pattern, ..app });
    world.app.set_catalogue(catalogue).await?;
    world.sees(&worker, &["app-1.0", "app-2.0", "random-name", "raw-image"]).await?;
    let look = world.look(Place::Provider("lab".into())).await?.unwrap();
    assert_eq!((look.listed, look.usable, look.problem_count), (1, 1, 2));
    let told: Vec<_> = look.problems.iter().map(|p| format!("{}: {}", p.subject, p.message)).collect();
    assert_eq!(
        told,
        [
            "app-2.0: it matches several rules: template_pattern of group app, template_pattern of group appl",
            "random-name: no rule matches it"
        ]
    );
    assert!(world.template_named("app-2.0").await.is_err());
    world.sees(&worker, &["app-1.0", "raw-image"]).await?;
    let look = world.look(Place::Provider("lab".into())).await?.unwrap();
    assert_eq!((look.problem_count, look.problems), (0, vec![]));
    Ok(())
}

async fn what_is_not_configured_any_more_is_forgotten(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_source(db).await?;
    let worker = world.worker("w", &[]).await?;
    let says = Says::default();
    says.lists(&[("app-1.0", false)]);
    world.app.sync_catalogues(&says, false).await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    catalogue.sources.clear();
    world.app.set_catalogue(catalogue).await?;
    assert_eq!(world.app.sync_catalogues(&says, false).await?, "no group has a catalogue");
    assert!(world.look(bot()).await?.is_none());
    assert!(world.database.store().read().await?.catalogue_entries("bot").await?.is_empty());
    assert!(
        world.usable().await?.is_empty(),
        "until the provider is seen again, which follows a change of configuration"
    );
    world.sees(&worker, &["app-1.0"]).await?;
    assert_eq!(world.usable().await?, ["app-1.0"]);
    Ok(())
}

async fn those_who_write_templates_wait_for_nobody_in_a_circle(db: TestDatabase) -> anyhow::Result<()> {
    let db = db.hanging_in_circles().await?;
    let world = World::with_providers(db, &[("lab", 100), ("other", 100)]).await?;
    world.add_source().await?;
    let worker = world.worker("w", &[]).await?;
    let says = Says::default();
    for round in 0..15_usize {
        // Builds come on both providers at once, so that each check makes others on the other provider superfluous.
        let names: Vec<_> = (0..=round).map(|n| format!("app-{}.{}.{n}", 1 + round / 3, n % 3)).collect();
        says.lists(&names.iter().map(|name| (&**name, round % 2 == 0)).collect::<Vec<_>>());
        world.app.check_providers().await?;
        let claimed = worker.claim().await?;
        anyhow::ensure!(claimed.len() == 2, "round {round}: {} checks", claimed.len());
        let checks = join_all(claimed.iter().enumerate().map(async |(n, assignment)| {
            let mut templates = names.clone();
            templates.rotate_left(n % names.len());
            let (capabilities, totals) = (BTreeSet::default(), Totals::default());
            let seen = StepOutput::Provider { version: round.to_string(), templates, capabilities, totals };
            worker.finish(key(assignment), Ok(seen)).await
        }));
        // As deployments that ended: providers, then templates.
        let deployments = join_all((0..4).map(async |_| {
            let mut tx = world.database.store().write().await?;
            for provider in ["lab", "other"] {
                tx.lock_circuit(&provider.into()).await?;
            }
            for template in tx.standing_templates().await? {
                tx.lock_trial(template.id).await?;
            }
            tx.commit().await
        }));
        let (checked, synced, marked, deployed) =
            tokio::join!(checks, world.app.sync_catalogues(&says, true), world.app.mark_templates(), deployments);
        checked.into_iter().collect::<Result<Vec<_>, _>>()?;
        deployed.into_iter().collect::<Result<Vec<_>, _>>()?;
        synced?;
        marked?;
        // Those that the catalogue asked for.
        for assignment in worker.claim().await? {
            worker.finish(key(&assignment), badly(StepErrorReason::Invalid)).await?;
        }
    }
    Ok(())
}
