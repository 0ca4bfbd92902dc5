//! Reads the store for clients: in threads of their own, a few at a time.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tracing::error;

use super::limits;
use crate::{
    api::Problem,
    store::{Records, StoreError},
};

/// Opens the store for one response.
pub(in crate::daemon) type OpenReader = Arc<dyn Fn() -> Result<Box<dyn Records>, StoreError> + Send + Sync>;

/// The readers of the store.
#[derive(Clone)]
pub(super) struct Readers {
    open: OpenReader,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(open: OpenReader) -> Self {
        Self {
            open,
            turns: Arc::new(Semaphore::new(limits::READERS)),
        }
    }

    /// Reads the store in a thread of its own.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let open = Arc::clone(&self.open);
        let read = self.work(move || work(&*open()?)).await?;
        read.map_err(Problem::from)
    }

    /// Does work that takes long in a thread of its own.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = timeout(limits::TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::busy("too many requests read at once; try again"));
        };
        let read = spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        read.await.map_err(|error| {
            error!(%error, "reading for a client failed");
            Problem::internal("reading failed; see the daemon's log")
        })
    }
}
