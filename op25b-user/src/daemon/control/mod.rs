//! The control socket: HTTP/1.1 and JSON over a Unix socket.
//!
//! A read is answered from what the daemon publishes or from the store. The metrics are a scrape, and an explanation, which needs
//! the kernel, is a [`Question`]: the daemon answers both at once. A change is a [`Request`], of which it handles one at a time.

mod body;
mod caller;
mod followers;
mod limits;
mod listening;
mod names;
mod openapi;
mod problem;
mod rates;
mod reads;
mod requests;
mod roles;
mod routes;
mod server;
mod shared;
mod socket;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

pub(super) use self::{
    limits::THREADS,
    reads::OpenReader,
    shared::{Newest, View},
};
use self::{listening::Listening, server::Listener, shared::Shared};
pub(crate) use self::{
    roles::GROUP,
    socket::{is_served, socket},
};
use super::{
    events::scrapes::Scrape,
    request::{Question, Request},
};
use crate::fault::Faults;

/// How long a daemon may take to report its status.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);

/// The daemon's end of the socket; dropping it removes the socket.
pub(super) struct Control {
    requests: mpsc::Receiver<Request>,
    view: watch::Sender<Option<Arc<View>>>,
    listening: Listening,
    server: JoinHandle<()>,
}

impl Control {
    /// Listens at the socket. If it cannot be created, on a full disk for example, the daemon runs without until it can.
    pub(super) fn listen(
        runtime_dir: &Path,
        open_reader: OpenReader,
        questions: mpsc::Sender<Question>,
        scrapes: mpsc::Sender<Scrape>,
        newest: Newest,
        faults: &Faults,
    ) -> anyhow::Result<Self> {
        let (sender, requests) = mpsc::channel(limits::QUEUE);
        let (view, seen) = watch::channel(None);
        let (mut listening, listeners) = Listening::new(runtime_dir);
        listening.begin(faults)?;
        let shared = Shared::new(sender, questions, seen, open_reader, scrapes, newest);
        Ok(Self {
            requests,
            view,
            listening,
            server: tokio::spawn(serve(listeners, shared)),
        })
    }

    /// Makes the socket again if another process has removed or replaced it.
    pub(super) fn keep(&mut self, faults: &Faults) {
        self.listening.keep(faults);
    }

    /// Waits for the next request; without a socket, for ever.
    pub(super) async fn request(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Publishes a new state. No client is answered before the first one.
    pub(super) fn publish(&self, view: View) {
        self.view.send_replace(Some(Arc::new(view)));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listeners: mpsc::Receiver<Listener>, mut shared: Shared) {
    // Until then connections wait at the socket: a response may start a thread, and a thread that starts before the daemon
    // drops its privileges keeps them.
    if shared.view.wait_for(Option::is_some).await.is_ok() {
        server::serve(listeners, routes::router(shared)).await;
    }
}
