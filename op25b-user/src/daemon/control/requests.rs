//! Asking the daemon, which does one thing at a time.

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::limits;
use crate::{
    api::{Problem, ProblemKind},
    daemon::request::Request,
};

/// The way to the daemon.
#[derive(Clone)]
pub(super) struct Requests(pub(super) mpsc::Sender<Request>);

impl Requests {
    /// Asks for something and waits for the answer.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Problem> {
        let ends = || Problem::busy("the daemon is about to end");
        let place = match timeout(limits::TURN, self.0.reserve()).await {
            Ok(place) => place.map_err(|_| ends())?,
            Err(_) => return Err(Problem::busy("too many wait for the daemon already; ask again")),
        };
        let (answer, answered) = oneshot::channel();
        place.send(request(answer));
        match timeout(limits::ANSWER, answered).await {
            Ok(answer) => answer.map_err(|_| ends()),
            Err(_) => Err(Problem::new(
                ProblemKind::Timeout,
                "the daemon is still at it, and may yet do it: ask again with the same Idempotency-Key, or look",
            )),
        }
    }
}
