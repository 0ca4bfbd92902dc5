//! Scrapes of the metrics, which the control socket passes to the event loop.

use tokio::sync::{mpsc, oneshot};

/// More than so many who ask at once wait for their turn.
const QUEUE: usize = 4;

/// Somebody who wants to know.
pub(in crate::daemon) type Scrape = oneshot::Sender<String>;

/// Those who ask, one after the other.
pub(in crate::daemon) struct Scrapes(mpsc::Receiver<Scrape>);

impl Scrapes {
    /// Where they ask, and where they are answered.
    pub(in crate::daemon) fn new() -> (mpsc::Sender<Scrape>, Self) {
        let (sender, scrapes) = mpsc::channel(QUEUE);
        (sender, Self(scrapes))
    }

    /// Waits for the next one; for ever, without a socket.
    pub(in crate::daemon) async fn next(&mut self) -> Scrape {
        match self.0.recv().await {
            Some(scrape) => scrape,
            None => std::future::pending().await,
        }
    }
}
