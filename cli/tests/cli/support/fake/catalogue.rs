//! Canned answers on catalogues.

use sprout_client::proto::{
    catalogue::{
        self, NameReading, Problem, ProblemKind, Source, SourceKind, catalogue_service_server::CatalogueService,
    },
    job::job_service_server::JobService as _,
    job::{Job, RunJobRequest},
};
use tonic::{Request, Response};

use super::{Answer, Fake, at};

fn sources() -> Vec<Source> {
    let problem = |kind: ProblemKind, provider: &str, subject: &str, message: &str| Problem {
        kind: kind.into(),
        provider: provider.into(),
        subject: subject.into(),
        message: message.into(),
    };
    let bot = Source {
        name: "hubber".into(),
        kind: SourceKind::Catalogue.into(),
        looked_at: None,
        failure: "page 3: it answers with status 500 Internal Server Error".into(),
        failed_since: Some(at(1_700_000_000)),
        listed_count: 120,
        usable_count: 100,
        changed_at: Some(at(1_699_990_000)),
        change: "2 listed anew as usable".into(),
        problem_count: 3,
        problems: vec![problem(ProblemKind::TwoRules, "lab", "x-1", "it matches several rules: a, b")],
    };
    let provider = Source {
        name: "docker".into(),
        kind: SourceKind::Provider.into(),
        listed_count: 2,
        usable_count: 2,
        problem_count: 1,
        problems: vec![problem(ProblemKind::NoRule, "docker", "postgres:16", "no rule matches it")],
        ..Source::default()
    };
    vec![bot, provider]
}

#[tonic::async_trait]
impl CatalogueService for Fake {
    async fn sync(&self, _: Request<catalogue::SyncRequest>) -> Answer<catalogue::SyncResponse> {
        let asked = self.run_job(Request::new(RunJobRequest { name: "provider-check".into() })).await?;
        let job = asked.into_inner().job.map(|job| Job { name: "catalogue-sync".into(), ..job });
        Ok(Response::new(catalogue::SyncResponse { job }))
    }

    async fn get_status(&self, _: Request<catalogue::GetStatusRequest>) -> Answer<catalogue::GetStatusResponse> {
        Ok(Response::new(catalogue::GetStatusResponse { job: None, sources: sources() }))
    }

    async fn read_names(&self, request: Request<catalogue::ReadNamesRequest>) -> Answer<catalogue::ReadNamesResponse> {
        let reading = |name: String| match &*name {
            "cfme-59022-0101" => NameReading {
                rule: "cfme-without-dots".into(),
                product: "cfme".into(),
                stream: "downstream-59z".into(),
                version: "5.9.0.22".into(),
                date: "--01-01".into(),
                usable: true,
                name,
                ..NameReading::default()
            },
            _ => NameReading { name, message: "no rule matches it".into(), ..NameReading::default() },
        };
        let readings = request.into_inner().names.into_iter().map(reading).collect();
        Ok(Response::new(catalogue::ReadNamesResponse { readings }))
    }
}
