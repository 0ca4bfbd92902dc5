//! Scrapes of the metrics, which the control socket passes to the event loop.

use tokio::sync::{mpsc, oneshot};

/// The length of the queue; further scrapes wait until there is room.
const QUEUE: usize = 4;

/// A client that waits for the metrics.
pub(in crate::daemon) type Scrape = oneshot::Sender<String>;

/// The queue of scrapes.
pub(in crate::daemon) struct Scrapes(mpsc::Receiver<Scrape>);

impl Scrapes {
    /// Both ends of a new queue.
    pub(in crate::daemon) fn new() -> (mpsc::Sender<Scrape>, Self) {
        let (sender, scrapes) = mpsc::channel(QUEUE);
        (sender, Self(scrapes))
    }

    /// Waits for the next scrape; for ever, without a control socket.
    pub(in crate::daemon) async fn next(&mut self) -> Scrape {
        match self.0.recv().await {
            Some(scrape) => scrape,
            None => std::future::pending().await,
        }
    }
}
