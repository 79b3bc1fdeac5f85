//! Cleaning up: deleting what was left over on providers, and the rules about what else may be deleted there.
//!
//! What is to go is never stored: it follows from the machines that were seen, the appliances that are gone and the rules, and is looked at once more in
//! the transaction that gives the deleting step to a worker, which in turn deletes nothing that carries other marks.

use std::collections::BTreeMap;

use sprout_domain::{
    Error, ProviderKey, Reason, Result,
    event::{EventKind, NewEvent},
    machine::{
        Machine, MachineKind,
        leftover::{Pattern, Planned, Rule, plan},
    },
    user::User,
    workflow::{StepKind, Subject, Task, WorkflowKind},
};

use crate::{
    App,
    ports::{NewRule, NewWorkflow, Topic, Tx},
    work::{Work, repeated},
};

/// Machines deleted by one step.
const TOGETHER: usize = 64;
/// Rules there can be.
const MAX_RULES: usize = 1_000;

/// A rule as someone wants it.
#[derive(Debug, Clone)]
pub struct WantedRule {
    /// A regular expression that matches somewhere in the name.
    pub pattern: String,
    /// Machines that were first seen longer ago.
    pub min_age: std::time::Duration,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
}

impl App {
    /// All rules, by id.
    pub async fn cleanup_rules(&self) -> Result<Vec<Rule>> {
        self.ports.store.read().await?.rules().await
    }

    /// Adds a rule.
    pub async fn add_cleanup_rule(&self, caller: &User, wanted: WantedRule) -> Result<Rule> {
        let rule = self.checked_rule(caller, &wanted)?;
        repeated(|| async {
            let mut work = self.work().await?;
            if work.tx.rules().await?.len() >= MAX_RULES {
                let message = format!("there are {MAX_RULES} rules already; delete one first");
                return Err(Error::new(Reason::WrongState, message));
            }
            let rule = work.tx.insert_rule(&rule).await?;
            work.commit().await?;
            Ok(rule)
        })
        .await
    }

    /// Removes a rule.
    pub async fn delete_cleanup_rule(&self, id: i64) -> Result<()> {
        repeated(|| async move {
            let mut work = self.work().await?;
            if !work.tx.delete_rule(id).await? {
                let message = format!("there is no clean-up rule {id}; `sproutctl cleanup rule list` shows them");
                return Err(Error::new(Reason::RuleNotFound, message));
            }
            work.commit().await
        })
        .await
    }

    /// What would be deleted now, on one provider or on all, and why; and with one more rule, if that is named. Deletes nothing.
    pub async fn plan_cleanup(
        &self,
        caller: &User,
        provider: Option<&ProviderKey>,
        more: Option<&WantedRule>,
    ) -> Result<Vec<Planned>> {
        if let Some(provider) = provider {
            self.catalogue().provider(provider)?;
        }
        let more = more.map(|wanted| self.checked_rule(caller, wanted)).transpose()?;
        let mut tx = self.ports.store.read().await?;
        let now = tx.now();
        let more = more.map(|NewRule { pattern, min_age, provider, created_by }| Rule {
            id: 0,
            pattern,
            min_age,
            provider,
            created_by,
            created_at: now,
        });
        planned(tx.as_mut(), &self.catalogue(), provider, more).await
    }

    /// Has everything deleted that is to go, on all providers. `approved`: also where so much would go at once that the database is doubted. Says what
    /// was begun.
    ///
    /// # Errors
    /// Where something is doubted; the rest was begun.
    pub async fn clean_up(&self, approved: bool) -> Result<String> {
        let (begun, doubted) = repeated(|| self.try_clean_up(approved)).await?;
        let count = |planned: &BTreeMap<ProviderKey, usize>| {
            planned.iter().map(|(key, count)| format!("{count} on {key}")).collect::<Vec<_>>().join(", ")
        };
        if !doubted.is_empty() {
            let message = format!(
                "leaks are not deleted ({}), because they are most of what carries our tag there: is this the right database? \
                 Look at `sproutctl cleanup plan`; `sproutctl job run leaks` deletes them",
                count(&doubted)
            );
            return Err(Error::new(Reason::WrongState, message));
        }
        Ok(if begun.is_empty() {
            "nothing is left over".to_owned()
        } else {
            format!("to be deleted: {}", count(&begun))
        })
    }

    async fn try_clean_up(
        &self,
        approved: bool,
    ) -> Result<(BTreeMap<ProviderKey, usize>, BTreeMap<ProviderKey, usize>)> {
        let mut work = self.work().await?;
        let catalogue = self.catalogue();
        let (mut begun, mut doubted) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
        for planned in planned(work.tx.as_mut(), &catalogue, None, None).await? {
            let key = planned.machine.provider.clone();
            if !catalogue.providers.contains_key(&key) {
                continue;
            }
            if planned.is_due() || (approved && planned.doubted) {
                *begun.entry(key).or_default() += 1;
            } else if planned.doubted {
                *doubted.entry(key).or_default() += 1;
            }
        }
        if approved {
            for key in begun.keys() {
                work.tx.approve_leaks(key).await?; // by hand, and of each provider once
            }
        }
        start(&mut work, begun.keys()).await?;
        work.commit().await?;
        Ok((begun, doubted))
    }

    fn checked_rule(&self, caller: &User, wanted: &WantedRule) -> Result<NewRule> {
        if let Some(provider) = &wanted.provider {
            self.catalogue().provider(provider)?;
        }
        Ok(NewRule {
            pattern: Pattern::new(&wanted.pattern)?,
            min_age: Rule::checked_age(wanted.min_age)?,
            provider: wanted.provider.clone(),
            created_by: caller.name.clone(),
        })
    }

    /// Takes what became of machines that were to go.
    pub(crate) async fn machines_deleted(
        &self,
        work: &mut Work,
        task: &Task,
        outcomes: Vec<(String, Option<String>)>,
    ) -> Result<()> {
        let key = &task.provider;
        let before: BTreeMap<_, _> =
            work.tx.leftovers(Some(key)).await?.into_iter().map(|machine| (machine.name.clone(), machine)).collect();
        let (mut gone, mut problems) = (Vec::new(), Vec::new());
        for (name, problem) in outcomes {
            let Some(machine) = before.get(&name) else { continue };
            let (state, says) = match &problem {
                None => ("gone", format!("{name}, left over on {key}, was deleted")),
                Some(why) => ("failed", format!("{name}, left over on {key}, could not be deleted: {why}")),
            };
            if problem.as_ref() != Some(&machine.problem) {
                work.emit(NewEvent {
                    provider: Some(key.clone()),
                    appliance_id: machine.appliance_id,
                    workflow_id: Some(task.workflow_id),
                    state: Some(state.to_owned()),
                    ..NewEvent::new(EventKind::Leak, says)
                });
            }
            match problem {
                None => gone.push(name),
                Some(why) => problems.push((name, why)),
            }
        }
        work.tx.put_machines(key, &[], &gone).await?;
        work.tx.set_problems(key, &problems).await?;
        if problems.is_empty() {
            begin(work, key).await?; // there may be more than one step takes
        }
        Ok(())
    }
}

/// Has what is to go on a provider deleted.
pub(crate) async fn begin(work: &mut Work, key: &ProviderKey) -> Result<()> {
    let catalogue = work.catalogue.clone();
    if planned(work.tx.as_mut(), &catalogue, Some(key), None).await?.iter().any(Planned::is_due) {
        start(work, [key].into_iter()).await?;
    }
    Ok(())
}

async fn start(work: &mut Work, keys: impl Iterator<Item = &ProviderKey>) -> Result<()> {
    let workflow =
        |key: &ProviderKey| NewWorkflow::new(WorkflowKind::CleanUp, Subject::Provider(key.clone()), Some(key.clone()));
    let workflows: Vec<_> = keys.map(workflow).collect();
    if !workflows.is_empty() {
        work.tx.insert_workflows(workflows).await?;
        work.wake(Topic::Tasks);
    }
    Ok(())
}

/// What the tasks that delete leftovers delete, decided as they are given out.
pub(crate) async fn leftovers_of(work: &mut Work, tasks: &[Task]) -> Result<BTreeMap<ProviderKey, Vec<Machine>>> {
    let mut leftovers = BTreeMap::new();
    let catalogue = work.catalogue.clone();
    // One at a time for each provider, and only where something is left over.
    for task in tasks.iter().filter(|task| task.step == StepKind::DeleteMachines) {
        let planned = planned(work.tx.as_mut(), &catalogue, Some(&task.provider), None).await?;
        let due = planned.into_iter().filter(Planned::is_due).map(|planned| planned.machine).take(TOGETHER);
        leftovers.insert(task.provider.clone(), due.collect());
    }
    Ok(leftovers)
}

async fn planned(
    tx: &mut dyn Tx,
    catalogue: &sprout_domain::Catalogue,
    provider: Option<&ProviderKey>,
    more: Option<Rule>,
) -> Result<Vec<Planned>> {
    let mut by_provider = BTreeMap::<_, Vec<Machine>>::new();
    for machine in tx.leftovers(provider).await? {
        by_provider.entry(machine.provider.clone()).or_default().push(machine);
    }
    if by_provider.is_empty() {
        return Ok(Vec::new());
    }
    let mut rules = tx.rules().await?;
    rules.extend(more);
    let leaks = by_provider.values().flatten().any(|machine| machine.kind == MachineKind::Leaked);
    let marked = if leaks { tx.marked().await? } else { BTreeMap::new() };
    let (now, grace) = (tx.now(), catalogue.leak_grace);
    let plans = by_provider
        .iter()
        .map(|(key, machines)| plan(machines, &rules, marked.get(key).copied().unwrap_or_default(), now, grace));
    Ok(plans.flatten().collect())
}
