//! Reads a list page by page.

use sprout_client::ClientError;

use crate::{failure::Failure, output::Printer};

/// The most a server puts on one page.
const LARGEST_PAGE: usize = 1000;

/// Reads pages until there are `limit` items or no more, and says so when there are more. `page` gets the size of the
/// page and the token to go on with.
pub(super) async fn all<T>(
    out: &Printer,
    limit: usize,
    mut page: impl AsyncFnMut(u32, String) -> Result<(Vec<T>, String), ClientError>,
) -> Result<Vec<T>, Failure> {
    let (mut items, mut token) = (Vec::new(), String::new());
    while items.len() < limit {
        let size = u32::try_from((limit - items.len()).min(LARGEST_PAGE)).unwrap_or(0);
        let (more, next) = page(size, token).await?;
        items.extend(more);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    if !token.is_empty() {
        out.note(&format!("there are more than these {}; --limit shows more", items.len()));
    }
    Ok(items)
}
