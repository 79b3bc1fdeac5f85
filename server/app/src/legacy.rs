//! Takes over what the service that was replaced knew of users: names, passwords, rights, groups, quotas, and what was kept warm for them.
//!
//! What is there already stays as it is, so that it can be done again after a correction; all of it is one transaction.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{
    GroupName, ProviderKey, Result, UserGroupId, UserId,
    event::{EventKind, NewEvent},
    legacy::{LegacyService, LegacyShepherd, LegacyUser, user_group_name},
    shepherd::{Flock, Shepherd},
    user::check_name as check_user_name,
    user_group,
};

use crate::{
    App,
    ports::{ShepherdFilter, Topic, UserChange, UserGroupChange},
    user,
    work::{Work, repeated},
};

/// Stored where there is no password: no hash of any kind.
const NO_PASSWORD: &str = "!";

/// What became of what there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Users taken over.
    pub users: u32,
    /// User groups taken over.
    pub user_groups: u32,
    /// Shepherds taken over.
    pub shepherds: u32,
    /// What was not, and why.
    pub left: Vec<Left>,
}

/// Something that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What it is: "user alice".
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

impl ImportReport {
    fn leave(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left.push(Left { what: what.into(), why: why.into() });
    }
}

impl App {
    /// Takes it over; `dry_run`: only says what that would do.
    pub async fn import_legacy(&self, service: &LegacyService, dry_run: bool) -> Result<ImportReport> {
        repeated(|| async {
            let mut work = self.work().await?;
            let mut report = ImportReport::default();
            let groups = import_user_groups(&mut work, service, &mut report).await?;
            import_users(&mut work, &service.users, &groups, &mut report).await?;
            import_shepherds(&mut work, &service.shepherds, &groups, &mut report).await?;
            count_the_rest(service, &mut report);
            if dry_run {
                return Ok(report);
            }
            let ImportReport { users, user_groups, shepherds, .. } = report;
            work.emit(NewEvent::new(
                EventKind::UserChanged,
                format!("{users} users, {user_groups} user groups and {shepherds} shepherds were taken over from the service before"),
            ));
            work.wake(Topic::Warm);
            self.commit_users(work).await?;
            Ok(report)
        })
        .await
    }
}

/// User groups by the names they had, with the names they have.
type Groups = BTreeMap<String, (UserGroupId, String)>;

async fn import_user_groups(work: &mut Work, service: &LegacyService, report: &mut ImportReport) -> Result<Groups> {
    let names: Vec<_> = service.user_groups.iter().map(|group| user_group_name(&group.name)).collect();
    let mut there = work.tx.lock_user_groups(&names).await?;
    let before: BTreeSet<String> = there.keys().cloned().collect();
    let mut groups = Groups::new();
    for (group, name) in service.user_groups.iter().zip(names) {
        let what = format!("user group {}", shown(&group.name));
        if user_group::check_name(&name).is_err() {
            report.leave(what, "its name is empty; make one yourself");
            continue;
        }
        if let Some(id) = there.get(&name) {
            let why = if before.contains(&name) {
                format!("there is a user group {name} already, whose providers were left as they are")
            } else {
                format!("another one became {name} as well, and is the same now")
            };
            report.leave(what, why);
            groups.insert(group.name.clone(), (*id, name));
            continue;
        }
        let id = work.tx.insert_user_group(&name).await?;
        report.user_groups += 1;
        let catalogue = work.catalogue.clone();
        let (known, unknown): (Vec<_>, Vec<_>) = group
            .providers
            .iter()
            .map(|key| ProviderKey(key.clone()))
            .partition(|key| catalogue.providers.contains_key(key));
        for key in unknown {
            report.leave(
                format!("{what}'s right to provider {key}"),
                "that provider is not configured; add it, then `sproutctl user-group add`",
            );
        }
        let change = UserGroupChange { add_providers: known, ..UserGroupChange::default() };
        work.tx.change_user_group(id, &change).await?;
        there.insert(name.clone(), id);
        groups.insert(group.name.clone(), (id, name));
    }
    Ok(groups)
}

async fn import_users(work: &mut Work, users: &[LegacyUser], groups: &Groups, report: &mut ImportReport) -> Result<()> {
    let names: Vec<_> = users.iter().map(|user| user.name.clone()).collect();
    let there: BTreeMap<String, UserId> = work.tx.users_named(&names).await?;
    let mut taken = BTreeSet::new();
    let mut without_password: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for user in users {
        let what = format!("user {}", shown(&user.name));
        if there.contains_key(&user.name) {
            report.leave(what, "there is a user of that name already, who was left as is");
            continue;
        }
        if let Err(error) = check_user_name(&user.name) {
            report.leave(what, format!("{}; create the user under another one", error.message));
            continue;
        }
        if !taken.insert(&user.name) {
            report.leave(what, "another one has the same name, and was taken over");
            continue;
        }
        let no_password = why_no_password(&user.password_hash);
        // What nobody signs in with any more is better not kept.
        let hash = if no_password.is_some() { NO_PASSWORD } else { &user.password_hash };
        let made = work.tx.insert_user(&user.name, hash, user.role).await?;
        let change = UserChange {
            disabled: Some(user.disabled),
            can_override_hardware: Some(user.can_override_hardware),
            ..UserChange::default()
        };
        work.tx.change_user(made.id, &change).await?;
        work.tx.set_quota(made.id, &user.quota).await?;
        let joined: BTreeSet<_> = user.user_groups.iter().filter_map(|name| Some(groups.get(name)?.0)).collect();
        work.tx.join_user_groups(made.id, &joined.into_iter().collect::<Vec<_>>()).await?;
        report.users += 1;
        if let Some(why) = no_password {
            without_password.entry(why).or_default().push(&user.name);
        }
    }
    for (why, names) in without_password {
        let whose =
            if let [one] = names[..] { format!("user {one}'s password") } else { format!("{} passwords", names.len()) };
        let of = if names.len() == 1 { String::new() } else { format!(": {}", names.join(", ")) };
        report.leave(whose, format!("{why}; set another with `sproutctl user update NAME --password-stdin`{of}"));
    }
    Ok(())
}

/// Why nobody can sign in with what is stored of a password there; none: it goes on working.
fn why_no_password(hash: &str) -> Option<String> {
    if user::goes_on_working(hash) {
        return None;
    }
    Some(match hash.split_once('$') {
        _ if hash.is_empty() || hash.starts_with('!') => "there is none".to_owned(),
        Some(("pbkdf2_sha256", _)) => "its hash is damaged".to_owned(),
        Some((hasher, _)) if !hasher.is_empty() => {
            format!("it was hashed by {}, and only pbkdf2_sha256 goes on working", shown(hasher))
        }
        Some(_) | None => "it was hashed in a way of long ago, and only pbkdf2_sha256 goes on working".to_owned(),
    })
}

/// A name as it is told: on one line, whatever is in it.
fn shown(name: &str) -> String {
    if name.is_empty() {
        return "without a name".to_owned();
    }
    let mut told = String::new();
    for c in name.chars() {
        if c.is_control() { told.extend(c.escape_default()) } else { told.push(c) }
    }
    told
}

async fn import_shepherds(
    work: &mut Work,
    shepherds: &[LegacyShepherd],
    groups: &Groups,
    report: &mut ImportReport,
) -> Result<()> {
    let there = work.tx.shepherds(&ShepherdFilter::default()).await?;
    let mut there: BTreeSet<(GroupName, Flock)> =
        there.into_iter().map(|shepherd| (shepherd.group, shepherd.flock)).collect();
    for wanted in shepherds.iter().filter(|wanted| wanted.preconfigured + wanted.unconfigured > 0) {
        let what =
            format!("warm appliances of group {} for user group {}", shown(&wanted.group), shown(&wanted.user_group));
        let group = GroupName(wanted.group.clone());
        let Some((id, name)) = groups.get(&wanted.user_group).cloned() else {
            report.leave(what, "that user group was not taken over");
            continue;
        };
        if !work.catalogue.groups.contains_key(&group) {
            report.leave(what, "that group is not configured; add it, then `sproutctl shepherd set`");
            continue;
        }
        let flock = Flock::UserGroup { id, name };
        if !there.insert((group.clone(), flock.clone())) {
            report.leave(what, "something is kept warm for it already, which was left as is");
            continue;
        }
        let (preconfigured, unconfigured) = (wanted.preconfigured, wanted.unconfigured);
        work.tx.set_shepherd(&Shepherd { group, flock, preconfigured, unconfigured, demand: None }).await?;
        report.shepherds += 1;
    }
    Ok(())
}

/// What has no place here.
fn count_the_rest(service: &LegacyService, report: &mut ImportReport) {
    let LegacyService { pools, appliances, bug_queries, .. } = service;
    if *pools + *appliances > 0 {
        report.leave(
            format!("{pools} pools and {appliances} appliances"),
            "they carry no marks of this installation, so it neither lends nor deletes them; let them end where they are before that service is stopped",
        );
    }
    if *bug_queries > 0 {
        report.leave(format!("{bug_queries} bug queries"), "there are none here");
    }
}
