//! Preparing templates: an appliance is deployed for nobody, made what it is to be, and becomes a template of a name that is decided, and reserved by a
//! row, before anything is asked of the provider.
//!
//! Whatever ends a preparation kills its appliance; whoever kills that ends the template that it was to be, in the same transaction: it is gone, or where
//! an image may be there already, retiring until that is deleted.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Error, GroupName, ProviderKey, Reason, Result, TemplateId, Timestamp, WorkflowId,
    appliance::Appliance,
    builds::Build,
    event::{EventKind, NewEvent},
    group::Group,
    lease,
    operation::Capability,
    preparation::template_name,
    provider::ProviderSpec,
    template::{BuildDate, Template, TemplateState, TemplateType},
    user::User,
    version::Version,
    workflow::{Subject, WorkflowKind},
};

use crate::{
    App,
    kill::kill_appliances,
    name,
    ports::{BuildIndex, Ended, NewAppliance, NewPrepared, NewWorkflow, Topic, UnderWay},
    queue,
    task::emit_step,
    work::{Work, repeated},
    workflow::end_workflows,
};

/// A build whose preparation failed is tried again after this long.
const BUILD_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// What a template is made of.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Another template.
    Template(TemplateId),
    /// A template of the provider's that pulls a build.
    Build(Pulled),
}

/// A build that is to be pulled.
#[derive(Debug, Clone)]
pub(crate) struct Pulled {
    group: GroupName,
    provider: ProviderKey,
    /// Name of the template that pulls it.
    base: String,
    build: Build,
}

impl App {
    /// Has a preconfigured template made of one that is not. Returns the template that is being made, and the workflow that makes it: those that are
    /// under way, if they are.
    pub async fn prepare_template(&self, caller: &User, id: TemplateId) -> Result<(Template, WorkflowId)> {
        self.template(caller, id).await?;
        let source = Source::Template(id);
        let (made, workflow) = repeated(|| self.begin_preparation(&source, Some(caller))).await?;
        Ok((self.template(caller, made).await?, workflow))
    }

    /// Has templates prepared of which nothing was prepared yet, the newest first, as far as their providers may do so. Says what it did.
    pub async fn prepare_due_templates(&self) -> Result<String> {
        let catalogue = self.catalogue();
        let groups: Vec<_> = catalogue
            .groups
            .values()
            .filter(|group| group.preparation.wanted && group.preparation.automatic)
            .map(|group| group.name.clone())
            .collect();
        if groups.is_empty() {
            return Ok("no group has its templates prepared".to_owned());
        }
        let mut tx = self.ports.store.read().await?;
        let (due, mut busy) = (tx.preparable_templates(&groups).await?, tx.configuring().await?);
        drop(tx);
        let (mut begun, mut refused) = (0, Vec::new());
        for template in due {
            let limit = catalogue.providers.get(&template.provider).map_or(0, |spec| spec.configuring_limit);
            let busy = busy.entry(template.provider.clone()).or_default();
            if *busy >= limit {
                continue;
            }
            let source = Source::Template(template.id);
            match repeated(|| self.begin_preparation(&source, None)).await {
                Ok(_) => (begun, *busy) = (begun + 1, *busy + 1),
                Err(error) if error.reason == Reason::DatabaseUnavailable => return Err(error),
                // The others are not to wait for this one.
                Err(error) => refused.push(format!("template {}: {}", template.id, error.message)),
            }
        }
        let refused = if refused.is_empty() { String::new() } else { format!("; not so {}", refused.join("; ")) };
        Ok(format!("{begun} templates are being prepared{refused}"))
    }

    /// Reads the indexes of builds, and has templates prepared of those that are not there yet, the newest first, on each provider that says from which
    /// template. Says what it did.
    pub async fn prepare_builds(&self, index: &dyn BuildIndex) -> Result<String> {
        let catalogue = self.catalogue();
        let mut tx = self.ports.store.read().await?;
        let since = lease::begin(tx.now(), BUILD_PAUSE);
        let (known, mut busy) = (tx.builds(since).await?, tx.configuring().await?);
        let today = tx.now().date_naive();
        drop(tx);
        let (mut found, mut begun, mut refused) = (0, 0, Vec::new());
        for group in catalogue.groups.values() {
            let Some(source) = group.preparation.builds.as_ref().filter(|_| group.preparation.wanted) else { continue };
            let builds = match index.read(&source.url).await {
                Ok(text) => source.read(&text),
                Err(why) => {
                    refused.push(format!("the builds of {}: {why}", group.name));
                    continue;
                }
            };
            found += builds.len();
            let old = |build: &Build| {
                let limit = group.template_obsolete_days.map(i64::from);
                limit.is_some_and(|days| (today - build.date).num_days() > days)
            };
            for spec in catalogue.providers.values().filter(|spec| !spec.disabled) {
                let Some(base) = &spec.container_base_template else { continue };
                let busy = busy.entry(spec.key.clone()).or_default();
                for build in builds.iter().filter(|build| !old(build)) {
                    if *busy >= spec.configuring_limit {
                        break;
                    }
                    if known.contains(&(spec.key.clone(), build.image.clone())) {
                        continue;
                    }
                    let (group, provider) = (group.name.clone(), spec.key.clone());
                    let source = Source::Build(Pulled { group, provider, base: base.clone(), build: build.clone() });
                    match repeated(|| self.begin_preparation(&source, None)).await {
                        Ok(_) => (begun, *busy) = (begun + 1, *busy + 1),
                        Err(error) if error.reason == Reason::DatabaseUnavailable => return Err(error),
                        Err(error) => refused.push(format!("{} on {}: {}", build.image, spec.key, error.message)),
                    }
                }
            }
        }
        let refused = if refused.is_empty() { String::new() } else { format!("; not so {}", refused.join("; ")) };
        Ok(format!("{found} builds are told, {begun} templates of them are being prepared{refused}"))
    }

    /// How preparations of these templates stand, of those that have not ended.
    pub async fn preparations(&self, templates: &[TemplateId]) -> Result<Vec<UnderWay>> {
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        self.ports.store.read().await?.preparations(templates).await
    }

    /// The appliance that was, or is being, made this template, whose log says how.
    pub async fn workshop(&self, caller: &User, id: TemplateId) -> Result<ApplianceId> {
        let template = self.template(caller, id).await?;
        let found = self.ports.store.read().await?.workshop(id).await?;
        found.ok_or_else(|| {
            let message =
                format!("template {id} ({}) was not prepared here, so there is no log of that", template.name);
            Error::new(Reason::WrongState, message)
        })
    }

    async fn begin_preparation(&self, source: &Source, by: Option<&User>) -> Result<(TemplateId, WorkflowId)> {
        let catalogue = self.catalogue();
        let mut work = self.work().await?;
        // Of those who want the same, the first does it and the others see that.
        work.tx.take_turn(queue::TURN).await?;
        let parent = match source {
            Source::Template(id) => Some(work.tx.template(*id).await?.ok_or_else(|| missing(*id))?),
            Source::Build(_) => None,
        };
        if let Some(parent) = &parent
            && let Some(made) = work.tx.preparing_of(parent.id).await?
        {
            let under_way = work.tx.preparations(&[made.id]).await?.pop();
            work.commit().await?;
            let found = under_way.ok_or_else(|| Error::internal("a template is being prepared by nobody"))?;
            return Ok((made.id, found.workflow_id));
        }
        let (group, provider) = match (source, &parent) {
            (Source::Build(Pulled { group, provider, .. }), _) => (group, provider),
            (_, Some(parent)) => (&parent.group, &parent.provider),
            (Source::Template(id), None) => return Err(missing(*id)),
        };
        let (group, provider) = (catalogue.group(group)?, catalogue.provider(provider)?);
        preparable(&mut work, parent.as_ref(), group, provider).await?;
        let now = work.tx.now();
        let new = to_make(source, parent.as_ref(), group, provider, now);
        let made = work.tx.insert_preparing(&new).await?;
        // What pulls a build need not be a template of ours: it goes by its name alone.
        let template = match (source, parent) {
            (Source::Build(pulled), _) => Template { name: pulled.base.clone(), ..made.clone() },
            (Source::Template(id), parent) => parent.ok_or_else(|| missing(*id))?,
        };
        let appliance = NewAppliance {
            name: name::appliance(&group.name, now),
            template,
            pool_id: None,
            memory_mib: None,
            cpus: None,
            user_group_id: None,
            prepares: Some(made.id),
        };
        let appliance = work.tx.insert_appliances(vec![appliance]).await?.pop();
        let appliance = appliance.ok_or_else(|| Error::internal("an appliance was not inserted"))?;
        let workflow = NewWorkflow {
            owner_id: by.map(|user| user.id),
            priority: i16::from(by.is_none()),
            late_in: Some(group.preparation.limit(group.deploy_limit)),
            ..NewWorkflow::new(WorkflowKind::Prepare, Subject::Appliance(appliance.id), Some(made.provider.clone()))
        };
        let workflow = work.tx.insert_workflows(vec![workflow]).await?.first().map(|begun| begun.id);
        let workflow = workflow.ok_or_else(|| Error::internal("a preparation was not inserted"))?;
        let of = if made.build.is_empty() { appliance.template.clone() } else { format!("the build {}", made.build) };
        let of = format!("{of} (version {})", made.version);
        let says = format!("is being made of {of} by appliance {}", appliance.name);
        tell(&mut work, &made, TemplateState::Preparing, Some(workflow), &says);
        let message = format!("{} is wanted on {} from {}", appliance.name, appliance.provider, appliance.template);
        work.emit_appliance(EventKind::ApplianceCreated, &appliance, message);
        work.wake(Topic::Tasks);
        work.wake(Topic::Late);
        work.commit().await?;
        Ok((made.id, workflow))
    }

    /// Ends a preparation that is late, as if a step of it had failed.
    pub(crate) async fn end_late_preparation(&self, id: WorkflowId) -> Result<()> {
        let mut work = self.work().await?;
        let Some(workflow) = work.tx.workflow(id).await? else { return Ok(()) };
        let Subject::Appliance(appliance) = workflow.subject else { return Ok(()) };
        let appliance = crate::kill::lock(&mut work, &[appliance]).await?.pop();
        let tasks = work.tx.tasks_of_workflow(id).await?;
        let ended = work.tx.workflow(id).await?.is_none_or(|workflow| workflow.state.is_final());
        let task = tasks.into_iter().find(|task| !task.state.is_final()).filter(|_| !ended);
        if let (Some(task), Some(appliance)) = (task, appliance) {
            let minutes = (work.tx.now() - workflow.created_at).num_minutes();
            let why = format!("not done after {minutes} min, at {}: {}", task.step, or(&task.error, &task.status));
            emit_step(&mut work, EventKind::StepFailed, &task, Some(&appliance), why.clone());
            work.tx.cancel_tasks(&[id]).await?;
            end_workflows(&mut work, &[Ended::failed(id, &why)]).await?;
            failed(&mut work, &appliance, &why).await?;
        }
        work.commit().await
    }
}

/// The preparation that this appliance is for has failed: it is killed, and its template with it. What it was made of is not used for another one for a while.
pub(crate) async fn failed(work: &mut Work, appliance: &Appliance, why: &str) -> Result<()> {
    let made = match appliance.prepares {
        Some(id) => work.tx.template(id).await?,
        None => None,
    };
    let parent = made.as_ref().and_then(|made| made.parent_id);
    if let Some(parent) = parent
        && let Some(parent) = work.tx.template(parent).await?
    {
        let preparations = parent.preparation.failed(why, work.tx.now(), fastrand::f64());
        work.tx.set_preparations(parent.id, &preparations).await?;
        let after = preparations.not_before.map(|at| at.format("%F %T UTC").to_string()).unwrap_or_default();
        let says = format!("could not be prepared, and is tried again after {after}: {why}");
        tell(work, &parent, parent.state, None, &says);
    }
    kill_appliances(work, &[appliance.id], why).await
}

/// The appliance has become its template.
pub(crate) async fn made(work: &mut Work, appliance: &Appliance, workflow: WorkflowId) -> Result<()> {
    let Some(id) = appliance.prepares else { return Err(Error::internal("an appliance became no template")) };
    // Otherwise somebody has ended it meanwhile, and what was made is deleted.
    if let Some(template) = work.tx.lock_preparing(&[id]).await?.pop() {
        work.tx.set_prepared(id).await?;
        if let Some(parent) = template.parent_id {
            work.tx.set_preparations(parent, &sprout_domain::template::Preparations::default()).await?;
        }
        let says = format!("is ready: it was made of {}", appliance.template);
        work.emit(became(&template, TemplateState::Ready, Some(workflow), &says));
        work.wake(Topic::Warm);
        work.wake(Topic::Queue);
    }
    kill_appliances(work, &[appliance.id], &format!("it has become template {id}")).await
}

/// These appliances are being killed: what they were to become, and have not, is made no more.
pub(crate) async fn abandoned(work: &mut Work, killed: &[Appliance], why: &str) -> Result<()> {
    let ids: Vec<_> = killed.iter().filter_map(|appliance| appliance.prepares).collect();
    if ids.is_empty() {
        return Ok(());
    }
    for template in work.tx.lock_preparing(&ids).await? {
        let of = killed.iter().find(|appliance| appliance.prepares == Some(template.id));
        let may_be_there = match of {
            Some(appliance) => work.tx.was_made(appliance.id).await?,
            None => false,
        };
        work.tx.give_up_preparing(template.id, may_be_there).await?;
        let state = if may_be_there { TemplateState::Retiring } else { TemplateState::Gone };
        if may_be_there {
            let subject = Subject::Template(template.id);
            let deletion = NewWorkflow {
                wait: true,
                ..NewWorkflow::new(WorkflowKind::DeleteTemplate, subject, Some(template.provider.clone()))
            };
            work.tx.insert_workflows(vec![deletion]).await?;
        }
        tell(work, &template, state, None, &format!("is made no more: {why}"));
        work.wake(Topic::Templates);
    }
    Ok(())
}

/// The template that is to be made.
fn to_make(
    source: &Source,
    parent: Option<&Template>,
    group: &Group,
    provider: &ProviderSpec,
    now: Timestamp,
) -> NewPrepared {
    let (version, date, template_type, build) = match (source, parent) {
        (Source::Build(Pulled { build, .. }), _) => {
            (build.version.clone(), build.date, TemplateType::DockerVm, build.image.clone())
        }
        (Source::Template(_), Some(parent)) => {
            (parent.version.clone(), parent.date, parent.template_type, String::new())
        }
        // Refused before.
        (Source::Template(_), None) => {
            (Version::made_up(now.date_naive()), BuildDate::default(), TemplateType::VirtualMachine, String::new())
        }
    };
    let name = template_name(&group.name, date, now.date_naive(), &name::random(), provider.template_name_limit);
    NewPrepared {
        name,
        provider: provider.key.clone(),
        group: group.name.clone(),
        version,
        date,
        template_type,
        parent_id: parent.map(|parent| parent.id),
        build,
        said: parent.map(|parent| parent.said.clone()).unwrap_or_default(),
    }
}

/// Refuses what cannot be prepared.
async fn preparable(work: &mut Work, parent: Option<&Template>, group: &Group, provider: &ProviderSpec) -> Result<()> {
    let wrong = |message: String| Err(Error::new(Reason::WrongState, message));
    if !group.preparation.wanted {
        return wrong(format!(
            "group {} does not say how its templates are prepared; add `prepare:` to it in sprout.yaml",
            group.name
        ));
    }
    if let Some(Template { id, name, state, parent_id, build, .. }) = parent {
        if parent_id.is_some() || !build.is_empty() {
            return wrong(format!("template {id} ({name}) is prepared already; name the one that it was made of"));
        }
        if !matches!(state, TemplateState::Ready | TemplateState::Quarantined) {
            let state = state.as_str();
            return wrong(format!("template {id} ({name}) is {state}, and only one that is ready can be prepared"));
        }
    }
    if provider.configuring_limit == 0 {
        return wrong(format!(
            "provider {} may prepare no templates; raise its `configuring_limit` in cfme_data.yaml",
            provider.key
        ));
    }
    can_make(work, &provider.key).await
}

/// Refuses what the provider cannot do, where that is known.
async fn can_make(work: &mut Work, provider: &ProviderKey) -> Result<()> {
    let can = work.tx.capabilities(provider).await?;
    if can.is_empty() || can.contains(&Capability::MakeTemplate) {
        return Ok(());
    }
    let message = format!("provider {provider} cannot make templates; prepare them there by hand");
    Err(Error::new(Reason::Unsupported, message).with("provider", &*provider.0))
}

/// Tells staff what became of a template, and why.
pub(crate) fn tell(
    work: &mut Work,
    template: &Template,
    state: TemplateState,
    workflow: Option<WorkflowId>,
    says: &str,
) {
    // Why may be that somebody wanted it so.
    work.emit(NewEvent { audience: None, ..became(template, state, workflow, says) });
}

/// What became of a template, for everyone who sees its provider.
fn became(template: &Template, state: TemplateState, workflow: Option<WorkflowId>, says: &str) -> NewEvent {
    let Template { id, name, provider, .. } = template;
    let message = format!("template {id} ({name} on {provider}) {says}");
    NewEvent {
        workflow_id: workflow,
        state: Some(state.as_str().to_owned()),
        ..NewEvent::of_provider(EventKind::TemplateState, provider, message)
    }
}

fn missing(id: TemplateId) -> Error {
    Error::new(Reason::TemplateNotFound, format!("there is no template {id}; see `sproutctl template list`"))
}

fn or<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}
