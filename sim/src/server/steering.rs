//! `sprout.sim.v1.SimService`: the faults and the journal.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    sync::Arc,
};

use sprout_proto::sim::{
    JournalRequest, JournalResponse, ListFaultsRequest, ListFaultsResponse, ResetRequest, ResetResponse,
    SetFaultsRequest, SetFaultsResponse, sim_service_server::SimService,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{convert, keeper::Keeper};
use crate::core::{Entry, Sim};

/// Entries in one message.
const PAGE: usize = 500;
/// Messages that are read ahead of a slow reader.
const AHEAD: usize = 2;

pub(super) struct Steering {
    keeper: Arc<Keeper>,
}

impl Steering {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }
}

#[tonic::async_trait]
impl SimService for Steering {
    async fn set_faults(&self, request: Request<SetFaultsRequest>) -> Result<Response<SetFaultsResponse>, Status> {
        let faults = request.into_inner().faults.into_iter().map(convert::fault).collect::<Result<_, _>>()?;
        self.keeper.with(|sim, now| sim.set_faults(now, faults))?.map_err(Status::invalid_argument)?;
        Ok(Response::new(SetFaultsResponse {}))
    }

    async fn list_faults(&self, _: Request<ListFaultsRequest>) -> Result<Response<ListFaultsResponse>, Status> {
        let faults = self.keeper.with(|sim, _| sim.faults().iter().map(convert::fault_pb).collect())?;
        Ok(Response::new(ListFaultsResponse { faults }))
    }

    async fn reset(&self, _: Request<ResetRequest>) -> Result<Response<ResetResponse>, Status> {
        self.keeper.with(Sim::reset)?;
        Ok(Response::new(ResetResponse {}))
    }

    type JournalStream = ReceiverStream<Result<JournalResponse, Status>>;

    async fn journal(&self, request: Request<JournalRequest>) -> Result<Response<Self::JournalStream>, Status> {
        let after = request.into_inner().after;
        let (path, length) = self.keeper.journal()?;
        let (pages, stream) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&path, length, after, &pages) {
                // It fails only if the reader left.
                let _ = pages.blocking_send(Err(Status::internal(format!("the journal cannot be read: {error}"))));
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

type Pages = mpsc::Sender<Result<JournalResponse, Status>>;

fn read(path: &Path, length: u64, after: u64, pages: &Pages) -> std::io::Result<()> {
    let mut entries = Vec::with_capacity(PAGE);
    for line in BufReader::new(File::open(path)?.take(length)).lines() {
        let entry: Entry = serde_json::from_str(&line?)?;
        if entry.number <= after {
            continue;
        }
        entries.push(convert::entry(entry));
        if entries.len() == PAGE
            && pages.blocking_send(Ok(JournalResponse { entries: std::mem::take(&mut entries) })).is_err()
        {
            return Ok(());
        }
    }
    if !entries.is_empty() {
        // It fails only if the reader left.
        let _ = pages.blocking_send(Ok(JournalResponse { entries }));
    }
    Ok(())
}
