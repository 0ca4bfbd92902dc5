//! Sends requests and questions to the daemon, which handles one at a time.

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::limits;
use crate::api::{Problem, ProblemKind};

/// A queue to the daemon.
pub(super) struct Queue<Q>(pub(super) mpsc::Sender<Q>);

impl<Q> Clone for Queue<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q> Queue<Q> {
    /// Sends a request and waits for its answer.
    pub(super) async fn send<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Q) -> Result<T, Problem> {
        let shutting_down = || Problem::busy("the daemon is shutting down");
        let permit = match timeout(limits::TURN, self.0.reserve()).await {
            Ok(permit) => permit.map_err(|_| shutting_down())?,
            Err(_) => return Err(Problem::busy("the daemon's queue is full; try again")),
        };
        let (answer, answered) = oneshot::channel();
        permit.send(request(answer));
        match timeout(limits::ANSWER, answered).await {
            Ok(answer) => answer.map_err(|_| shutting_down()),
            Err(_) => Err(Problem::new(
                ProblemKind::Timeout,
                "the daemon has not finished, and may still do it: repeat the request with the same Idempotency-Key, or \
                 check the result",
            )),
        }
    }
}
