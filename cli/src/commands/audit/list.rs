//! `sproutctl audit list`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use sprout_client::proto::audit::ListRecordsRequest;

use crate::{args::audit::List, commands::page, context::Context, failure::Failure, output::audit::RecordView};

pub(super) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let since = args.since.map(ago);
    let records = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListRecordsRequest {
            user: args.user.clone(),
            method: args.method.clone(),
            refused: args.refused,
            since,
            page_size,
            page_token,
        };
        let page = connection.audit().list_records(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.records, page.next_page_token))
    })
    .await?;
    context.out.list(&records.into_iter().map(RecordView::from).collect::<Vec<_>>())
}

fn ago(since: Duration) -> Timestamp {
    let at = SystemTime::now().checked_sub(since).and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Timestamp { seconds: i64::try_from(at.as_secs()).unwrap_or_default(), nanos: 0 }
}
