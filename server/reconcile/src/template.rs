//! Templates: deleted when their last appliance is gone, marked when newer ones make them superfluous, retired when they are too old.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{
    App, JobSpec,
    ports::{BuildIndex, Topic},
};
use sprout_domain::Result;

use crate::{
    driver::{Activity, Loop},
    job::Job,
};

/// Many appliances may be gone at once.
const REST: Duration = Duration::from_millis(200);
/// Between two runs of a job: ages are counted in days.
const HOURLY: Duration = Duration::from_secs(3600);

/// Lets deletions go on whose templates have no appliance any more. Woken as appliances go.
pub(crate) struct DeleteRetired(pub(crate) Arc<App>);

#[async_trait]
impl Activity for DeleteRetired {
    fn when(&self) -> Loop {
        Loop { name: "retired-templates", period: Duration::from_secs(30), topic: Some(Topic::Templates), rest: REST }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.delete_retired_templates().await.map(|()| None)
    }
}

/// Marks templates. Done twice, the second time changes nothing.
pub(crate) struct Mark(pub(crate) Arc<App>);

#[async_trait]
impl Job for Mark {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "mark-templates",
            description: "Suggests for deletion all but the newest version of each z-stream, and uses templates no more that are too old for their group.",
            period: HOURLY,
        }
    }

    async fn run(&self) -> Result<String> {
        let (suggested, obsolete) = self.0.mark_templates().await?;
        Ok(format!("{suggested} templates are suggested for deletion, {obsolete} are used no more"))
    }
}

/// Begins preparations of templates, as far as there is room for them.
pub(crate) struct Prepare(pub(crate) Arc<App>);

#[async_trait]
impl Job for Prepare {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "prepare-templates",
            description: "Prepares templates of groups that say how, the newest first; tries again later where that failed.",
            period: Duration::from_secs(60),
        }
    }

    async fn run(&self) -> Result<String> {
        self.0.prepare_due_templates().await
    }
}

/// Reads the indexes of builds, and has templates prepared of what is new there.
pub(crate) struct Builds {
    pub(crate) app: Arc<App>,
    /// None: nobody can read one here.
    pub(crate) index: Option<Arc<dyn BuildIndex>>,
}

#[async_trait]
impl Job for Builds {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "read-builds",
            description: "Reads which builds there are from the templates_url of groups, and prepares templates that pull them, the newest first.",
            period: Duration::from_secs(600),
        }
    }

    async fn run(&self) -> Result<String> {
        match &self.index {
            Some(index) => self.app.prepare_builds(index.as_ref()).await,
            None => Ok("no index can be read here".to_owned()),
        }
    }
}

/// Retires templates beyond the age at which their group has them deleted. What is retiring already is left alone, unless its deletion failed.
pub(crate) struct DeleteObsolete(pub(crate) Arc<App>);

#[async_trait]
impl Job for DeleteObsolete {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "delete-obsolete-templates",
            description: "Deletes templates that are older than their group keeps them; tries again where that failed.",
            period: HOURLY,
        }
    }

    async fn run(&self) -> Result<String> {
        self.0.delete_obsolete_templates().await
    }
}
