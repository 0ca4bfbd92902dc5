//! The control socket: HTTP/1.1 and JSON over a Unix socket.
//!
//! Everything that it answers itself is read from what the daemon publishes, or from the store; what changes something
//! is a [`Request`] to the daemon, which does one after the other.

mod caller;
mod body;
mod limits;
mod openapi;
mod peer;
mod problem;
mod reads;
mod requests;
mod routes;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod waiting;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::unistd::Gid;
use tokio::{
    net::UnixListener,
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
};
use tracing::warn;

pub(crate) use self::socket::socket;
use self::{caller::Names, reads::Readers, requests::Requests};
pub(super) use self::{limits::THREADS, reads::OpenReader};
use super::{metrics::Scrape, request::Request};
use crate::{
    api::Problem,
    policy::Policy,
    report::{DaemonReport, exemptions::InFile},
};

/// How long a daemon may take to say how it is.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);

/// The socket's end in the daemon; dropping it removes the socket.
pub(super) struct Control {
    requests: mpsc::Receiver<Request>,
    view: watch::Sender<Option<Arc<View>>>,
    serving: Option<Serving>,
}

/// What clients see of the daemon.
pub(super) struct View {
    /// What it says of itself.
    pub(super) report: DaemonReport,
    /// What it enforces.
    pub(super) policy: Arc<Policy>,
}

struct Serving {
    path: PathBuf,
    task: JoinHandle<()>,
}

/// What every route may use.
#[derive(Clone)]
struct Shared {
    requests: Requests,
    view: watch::Receiver<Option<Arc<View>>>,
    scrapes: mpsc::Sender<Scrape>,
    readers: Readers,
    names: Names,
    /// One import at a time: each may take much memory.
    imports: Arc<Semaphore>,
}

impl Control {
    /// Listens at the socket. Without a place for it, on a full disk for example, the daemon does without.
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
                warn!("there is no control socket, `op25b reload` does not work: {error:#}");
                None
            }
        };
        Ok(Self {
            requests,
            view,
            serving,
        })
    }

    /// Waits for the next request; for ever, without a socket.
    pub(super) async fn request(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// What clients see from now on. Nobody is answered before the first time.
    pub(super) fn publish(&self, view: View) {
        self.view.send_replace(Some(Arc::new(view)));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(Serving { path, task }) = &self.serving {
            task.abort();
            // The next daemon removes it, if it stays.
            let _ = fs::remove_file(path);
        }
    }
}

impl Shared {
    fn new(
        requests: mpsc::Sender<Request>,
        view: watch::Receiver<Option<Arc<View>>>,
        open_reader: OpenReader,
        scrapes: mpsc::Sender<Scrape>,
    ) -> Self {
        Self {
            requests: Requests(requests),
            view,
            scrapes,
            readers: Readers::new(open_reader),
            names: Names::default(),
            imports: Arc::new(Semaphore::new(1)),
        }
    }

    fn view(&self) -> Result<Arc<View>, Problem> {
        let view = self.view.borrow().clone();
        view.ok_or_else(|| Problem::busy("the daemon does not enforce yet"))
    }
}

impl View {
    fn in_file(&self) -> InFile<'_> {
        InFile {
            file: &self.report.policy_file,
            exemptions: &self.policy.exemptions,
        }
    }
}

async fn serve(listener: UnixListener, group: Option<Gid>, mut shared: Shared) {
    // Until then connections wait at the socket: an answer may start a thread, and a thread that is started before the
    // daemon gives up its privileges keeps them.
    if shared.view.wait_for(Option::is_some).await.is_ok() {
        server::serve(listener, group, routes::router(shared)).await;
    }
}
