//! The control socket: HTTP/1.1 and JSON over a Unix socket.
//!
//! A read is answered from what the daemon publishes or from the store. The metrics are a scrape. A change, and an explanation,
//! which needs the kernel, is a [`Request`] to the daemon, which handles one at a time.

mod body;
mod caller;
mod limits;
mod names;
mod openapi;
mod problem;
mod reads;
mod requests;
mod routes;
mod server;
mod shared;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::unistd::Gid;
use tokio::{
    net::UnixListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::warn;

use self::shared::Shared;
pub(crate) use self::socket::socket;
pub(super) use self::{limits::THREADS, reads::OpenReader, shared::View};
use super::{events::scrapes::Scrape, request::Request};

/// How long a daemon may take to report its status.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);

/// The daemon's end of the socket; dropping it removes the socket.
pub(super) struct Control {
    requests: mpsc::Receiver<Request>,
    view: watch::Sender<Option<Arc<View>>>,
    serving: Option<Serving>,
}

struct Serving {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens at the socket. If it cannot be created, on a full disk for example, the daemon runs without.
    pub(super) fn listen(
        runtime_dir: &Path,
        open_reader: OpenReader,
        scrapes: mpsc::Sender<Scrape>,
    ) -> anyhow::Result<Self> {
        let (sender, requests) = mpsc::channel(limits::QUEUE);
        let (view, seen) = watch::channel(None);
        let path = socket(runtime_dir);
        socket::refuse_another(&path)?;
        let group = socket::group();
        let serving = match socket::bind(runtime_dir, &path, group) {
            Ok(listener) => {
                let shared = Shared::new(sender, seen, open_reader, scrapes);
                let task = tokio::spawn(serve(listener, group, shared));
                Some(Serving { path, task })
            }
            Err(error) => {
                warn!(
                    "there is no control socket, so `op25b reload` and `op25b exempt` do not work: {error:#}"
                );
                None
            }
        };
        Ok(Self {
            requests,
            view,
            serving,
        })
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
        if let Some(Serving { path, task }) = &self.serving {
            task.abort();
            // If this fails, the next daemon removes it.
            let _ = fs::remove_file(path);
        }
    }
}

async fn serve(listener: UnixListener, group: Option<Gid>, mut shared: Shared) {
    // Until then connections wait at the socket: a response may start a thread, and a thread that starts before the daemon
    // drops its privileges keeps them.
    if shared.view.wait_for(Option::is_some).await.is_ok() {
        server::serve(listener, group, routes::router(shared)).await;
    }
}
