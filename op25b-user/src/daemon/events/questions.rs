//! Questions that the control socket passes to the event loop, which answers them at once, also while a change waits for a disk.

use tokio::sync::mpsc;

use crate::daemon::request::Question;

/// The length of the queue; further questions wait until there is room.
const QUEUE: usize = 16;

/// The queue of questions.
pub(in crate::daemon) struct Questions(mpsc::Receiver<Question>);

impl Questions {
    /// Both ends of a new queue.
    pub(in crate::daemon) fn new() -> (mpsc::Sender<Question>, Self) {
        let (sender, questions) = mpsc::channel(QUEUE);
        (sender, Self(questions))
    }

    /// Waits for the next question; for ever, without a control socket.
    pub(in crate::daemon) async fn next(&mut self) -> Question {
        match self.0.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }
}
