//! Canned answers on audit records and usage.

use sprout_client::proto::{
    audit::{self, Record, audit_service_server::AuditService},
    usage::{self, UsageRow, usage_service_server::UsageService},
};
use tonic::Request;

use super::{Answer, Fake, at};

fn records() -> Vec<Record> {
    let killed = Record {
        id: 8,
        at: Some(at(1_700_000_060)),
        user: "alice".into(),
        token: "ci".into(),
        peer: "192.0.2.7".into(),
        method: "sprout.pool.v1.PoolService/KillPool".into(),
        request: r#"{"id":"7"}"#.into(),
        result: "OK".into(),
        message: String::new(),
    };
    let refused = Record {
        id: 7,
        at: Some(at(1_700_000_000)),
        user: String::new(),
        token: String::new(),
        method: "sprout.user.v1.UserService/Login".into(),
        request: r#"{"name":"alice"}"#.into(),
        result: "UNAUTHENTICATED".into(),
        message: "name and password do not match".into(),
        ..killed.clone()
    };
    vec![killed, refused]
}

#[tonic::async_trait]
impl AuditService for Fake {
    async fn list_records(&self, request: Request<audit::ListRecordsRequest>) -> Answer<audit::ListRecordsResponse> {
        let request = request.into_inner();
        let asked = |record: &Record| {
            request.user.as_ref().is_none_or(|user| *user == record.user)
                && request.method.as_ref().is_none_or(|method| record.method.contains(method))
                && (!request.refused || record.result != "OK")
                && request.since.is_none_or(|since| record.at.is_some_and(|at| at.seconds >= since.seconds))
        };
        let records = records().into_iter().filter(asked).collect();
        Ok(audit::ListRecordsResponse { records, next_page_token: String::new() }.into())
    }
}

#[tonic::async_trait]
impl UsageService for Fake {
    async fn query_usage(&self, request: Request<usage::QueryUsageRequest>) -> Answer<usage::QueryUsageResponse> {
        let row = |day: &str, user_group: &str, hours| UsageRow {
            day: day.into(),
            user_group: user_group.into(),
            appliance_hours: hours,
            ..UsageRow::default()
        };
        let rows = if request.into_inner().by.is_empty() {
            vec![row("", "", 36.25)]
        } else {
            vec![row("2026-01-01", "", 12.25), row("2026-01-02", "qe", 24.0)]
        };
        Ok(usage::QueryUsageResponse { rows }.into())
    }
}
