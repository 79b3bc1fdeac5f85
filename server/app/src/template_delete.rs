//! Deleting templates: first one is used no more, then its appliances go, then the image on the provider.
//!
//! The workflow begins blocked, and goes on when the last appliance is gone, which [`App::delete_retired_templates`] notices: whoever proves an
//! appliance absent does not look at templates, for many would then wait for one row.

use sprout_domain::{
    Error, Reason, Result, TemplateId, WorkflowId,
    event::{EventKind, NewEvent},
    operation::Capability,
    quarantine::Trial,
    template::{Template, TemplateState},
    user::User,
    workflow::{Subject, Task, WorkflowKind},
};

use crate::{
    App,
    kill::{self, kill_appliances},
    ports::{NewWorkflow, Topic},
    queue,
    task::template_of,
    work::{Work, repeated},
};

/// Deletions that begin in one transaction.
const TOGETHER: u64 = 100;

impl App {
    /// Retires a template; returns it, and the workflow that deletes it when its last appliance is gone, or none if it is gone already. Done again, that
    /// is the same workflow, unless it has failed meanwhile.
    pub async fn delete_template(&self, caller: &User, id: TemplateId) -> Result<(Template, Option<WorkflowId>)> {
        let template = self.template(caller, id).await?;
        self.catalogue().provider(&template.provider)?;
        let workflow = self.retire_template(id, "it is to be deleted", Some(caller)).await?;
        Ok((self.template(caller, id).await?, workflow))
    }

    /// As [`App::delete_template`], for whatever reason, which everyone is told who sees the provider.
    pub(crate) async fn retire_template(
        &self,
        id: TemplateId,
        why: &str,
        by: Option<&User>,
    ) -> Result<Option<WorkflowId>> {
        repeated(|| self.try_retire(id, why, by)).await
    }

    async fn try_retire(&self, id: TemplateId, why: &str, by: Option<&User>) -> Result<Option<WorkflowId>> {
        let mut work = self.work().await?;
        // Whoever places appliances has done so, or does so when it is retiring.
        work.tx.take_turn(queue::TURN).await?;
        let seen = work.tx.template(id).await?.ok_or_else(|| missing(id))?;
        can_delete(&mut work, &seen).await?;
        let warm = work.tx.unowned_appliances(id).await?;
        // Tasks before templates.
        let subjects: Vec<_> = warm.iter().copied().map(Subject::Appliance).collect();
        work.tx.live_workflows(&subjects).await?;
        let Some((template, _)) = work.tx.lock_trial(id).await? else { return Err(missing(id)) };
        if template.state == TemplateState::Gone {
            return work.commit().await.map(|()| None);
        }
        if template.state != TemplateState::Retiring {
            work.tx.set_trial(id, &Trial { state: TemplateState::Retiring, ..Trial::ready() }).await?;
            let says = format!("is used no more, and goes with its last appliance: {why}");
            let user = by.map(|user| user.name.clone());
            work.emit(NewEvent { user, ..became(&template, TemplateState::Retiring, &says) });
            work.wake(Topic::Queue);
            work.wake(Topic::Tries);
        }
        let locked = kill::lock(&mut work, &warm).await?;
        let unowned: Vec<_> = locked.iter().filter(|appliance| appliance.pool_id.is_none()).map(|a| a.id).collect();
        kill_appliances(&mut work, &unowned, "its template is used no more").await?;
        let subject = Subject::Template(id);
        let deletion = NewWorkflow {
            wait: true,
            ..NewWorkflow::new(WorkflowKind::DeleteTemplate, subject, Some(template.provider.clone()))
        };
        let begun = work.tx.insert_workflows(vec![deletion]).await?;
        work.wake(Topic::Templates);
        work.commit().await?;
        begun
            .first()
            .map(|begun| Some(begun.id))
            .ok_or_else(|| Error::internal("a deletion that neither runs nor began"))
    }

    /// Lets those deletions go on of whose templates no appliance is left. Costs a look at the templates that are retiring.
    pub async fn delete_retired_templates(&self) -> Result<()> {
        if self.ports.store.read().await?.deletable_templates(1).await?.is_empty() {
            return Ok(());
        }
        repeated(|| async {
            let mut work = self.work().await?;
            let due: Vec<_> = work.tx.deletable_templates(TOGETHER).await?.into_iter().map(|id| (id, 0)).collect();
            work.tx.ready_tasks(&due).await?;
            work.wake(Topic::Tasks);
            if due.len() as u64 == TOGETHER {
                work.wake(Topic::Templates);
            }
            work.commit().await
        })
        .await
    }
}

/// The template is proven absent.
pub(crate) async fn deleted(work: &mut Work, task: &Task) -> Result<()> {
    let Some(id) = template_of(task) else { return Err(Error::internal("a deletion of no template")) };
    let Some((template, _)) = work.tx.lock_trial(id).await? else { return Err(missing(id)) };
    work.tx.set_template_gone(id).await?;
    work.emit(became(&template, TemplateState::Gone, "is gone: it was deleted"));
    Ok(())
}

/// The template could not be deleted. It stays retiring; the job that deletes templates tries again.
pub(crate) async fn failed(work: &mut Work, task: &Task, why: &str) -> Result<()> {
    let Some(id) = template_of(task) else { return Err(Error::internal("a deletion of no template")) };
    if let Some(template) = work.tx.template(id).await? {
        let says = format!("was not deleted, which is tried again later: {why}");
        work.emit(NewEvent { audience: None, ..became(&template, template.state, &says) });
    }
    Ok(())
}

/// Refuses what its provider cannot do, where that is known.
async fn can_delete(work: &mut Work, template: &Template) -> Result<()> {
    let can = work.tx.capabilities(&template.provider).await?;
    if template.state == TemplateState::Gone || can.is_empty() || can.contains(&Capability::MakeTemplate) {
        return Ok(());
    }
    let message =
        format!("provider {} cannot delete templates; delete {} there by hand", template.provider, template.name);
    Err(Error::new(Reason::Unsupported, message).with("provider", &*template.provider.0))
}

fn became(template: &Template, state: TemplateState, says: &str) -> NewEvent {
    let Template { id, name, provider, .. } = template;
    let message = format!("template {id} ({name} on {provider}) {says}");
    NewEvent {
        state: Some(state.as_str().to_owned()),
        ..NewEvent::of_provider(EventKind::TemplateState, provider, message)
    }
}

fn missing(id: TemplateId) -> Error {
    Error::new(Reason::TemplateNotFound, format!("there is no template {id}; see `sproutctl template list`"))
}
