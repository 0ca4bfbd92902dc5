//! The interface between an enforcer and the process around it.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::task::JoinHandle;

use super::state::Enforcer;
use crate::{datapath::Filter, policy::Policy};

/// Work in another thread.
pub(crate) type Running<T> = JoinHandle<T>;

/// Why work in another thread is not waited for any longer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum WaitError {
    /// It takes longer than it may. It goes on.
    #[error("it has not ended within {0:?}")]
    Late(Duration),
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Stopping,
    /// The thread has failed.
    #[error("a thread of the daemon failed: {0}")]
    Failed(String),
}

/// The process around an enforcer: it has the threads for long work, and reads what a filter writes about packets.
pub(crate) trait Host {
    /// What reads what one filter writes about packets.
    type Readers;

    /// Opens the readers of a filter that is about to replace another, with its policy. An error prevents the replacement.
    fn open_readers(&self, filter: &mut Filter, policy: &Arc<Policy>) -> anyhow::Result<Self::Readers>;

    /// Reads with these from now on: their filter has replaced the one before.
    fn use_readers(&mut self, readers: Self::Readers, enforcer: &mut Enforcer);

    /// Starts work in another thread, unless the process is about to end.
    fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Running<T>, WaitError>;

    /// Waits for work in another thread, at most for `limit`. Meanwhile the host does with the enforcer what has to be done
    /// every second, and answers questions.
    async fn wait<T: Send + 'static>(
        &mut self,
        enforcer: &mut Enforcer,
        work: &mut Running<T>,
        limit: Option<Duration>,
    ) -> Result<T, WaitError>;

    /// Runs work that takes long, but waits for no disk, in another thread.
    async fn run_while_waiting<T: Send + 'static>(
        &mut self,
        enforcer: &mut Enforcer,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WaitError> {
        let mut work = self.start(work)?;
        self.wait(enforcer, &mut work, None).await
    }
}
