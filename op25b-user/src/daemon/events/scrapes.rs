//! Reads of the filter in the kernel, which the control socket passes to the event loop: it answers them also while something else
//! takes long.

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use crate::{
    report::{EventCount, FilterRecords, FilterStatus, MetricsFormat},
    store::{Deleted, Operation, activity::Forget},
};

/// The length of the queue; further scrapes wait until there is room.
const QUEUE: usize = 4;

/// A client that waits for what is read.
pub(in crate::daemon) enum Scrape {
    /// The metrics, in a format.
    Metrics(MetricsFormat, oneshot::Sender<String>),
    /// The filter as `op25b status` shows it.
    Filter(oneshot::Sender<FilterStatus>),
    /// How many packets were shown as events and how many were not.
    EventCounts(oneshot::Sender<Vec<EventCount>>),
    /// The records of its subscribers.
    Records(oneshot::Sender<FilterRecords>),
    /// That somebody reads them, or has had them removed.
    Note(Operation, oneshot::Sender<()>),
    /// That the history of subscribers is cut, as their sessions begin or end; it is answered once that is done.
    Cut(Vec<IpNet>, oneshot::Sender<()>),
    /// That what is in the history is forgotten; the answer is how much that was, or why it is not.
    Forget(Vec<Forget>, oneshot::Sender<Result<Deleted, String>>),
}

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
