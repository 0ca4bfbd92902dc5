//! The control socket: HTTP/1.1 and JSON over a Unix socket, for root and the group `op25b`.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, chown},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use nix::{
    sys::stat::{Mode, umask},
    unistd::{Gid, Group},
};
use serde::Deserialize;
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tracing::{info, warn};

use crate::observe::{DaemonReport, ReloadAnswer};

/// Who may talk to a daemon besides root.
const GROUP: &str = "op25b";
/// More than so many reloads at once wait for their turn at the socket.
const QUEUE: usize = 16;

/// A reload that somebody asks for at the socket.
pub(super) struct Request {
    pub(super) dry_run: bool,
    pub(super) answer: oneshot::Sender<ReloadAnswer>,
}

/// The socket's end in the daemon; dropping it removes the socket.
pub(super) struct Control {
    requests: mpsc::Receiver<Request>,
    report: watch::Sender<Option<DaemonReport>>,
    serving: Option<Serving>,
}

struct Serving {
    path: PathBuf,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    requests: mpsc::Sender<Request>,
    report: watch::Receiver<Option<DaemonReport>>,
}

/// Where the socket is.
pub(crate) fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

impl Control {
    /// Listens at the socket. Without a place for it, on a full disk for example, the daemon does without.
    /// `others` answers what is not answered here.
    pub(super) fn listen(runtime_dir: &Path, others: Router) -> anyhow::Result<Self> {
        let (sender, requests) = mpsc::channel(QUEUE);
        let (report, reader) = watch::channel(None);
        let path = socket(runtime_dir);
        if BlockingStream::connect(&path).is_ok() {
            bail!(
                "another op25b answers at {}; give this one another `--runtime-dir`",
                path.display()
            );
        }
        let serving = match bind(runtime_dir, &path) {
            Ok(listener) => {
                let shared = Shared {
                    requests: sender,
                    report: reader,
                };
                let task = tokio::spawn(serve(listener, shared, others));
                Some(Serving { path, task })
            }
            Err(error) => {
                warn!("there is no control socket, `op25b reload` does not work: {error:#}");
                None
            }
        };
        Ok(Self {
            requests,
            report,
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

    /// What is answered from now on.
    pub(super) fn publish(&self, report: DaemonReport) {
        self.report.send_replace(Some(report));
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

/// Opens the socket for those who may use it, and for nobody else at any moment.
fn bind(runtime_dir: &Path, path: &Path) -> anyhow::Result<UnixListener> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(runtime_dir)
        .with_context(|| format!("cannot make {}", runtime_dir.display()))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    let before = umask(Mode::from_bits_truncate(0o117));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.with_context(|| format!("cannot listen at {}", path.display()))?;
    let group = Group::from_name(GROUP).ok().flatten().map(|group| group.gid);
    match group.map(Gid::as_raw) {
        None => info!("there is no group {GROUP}: only this user may use the control socket"),
        Some(group) => {
            if let Err(error) = chown(path, None, Some(group)) {
                warn!(%error, "cannot let the group {GROUP} use the control socket");
            }
        }
    }
    Ok(listener)
}

async fn serve(listener: UnixListener, shared: Shared, others: Router) {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/reload", post(reload))
        .with_state(shared)
        .merge(others);
    if let Err(error) = axum::serve(listener, router).await {
        warn!(%error, "the control socket does not work any more");
    }
}

async fn status(State(shared): State<Shared>) -> Response {
    match &*shared.report.borrow() {
        Some(report) => Json(report).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[derive(Deserialize)]
struct ReloadQuery {
    #[serde(default)]
    dry_run: bool,
}

async fn reload(
    State(shared): State<Shared>,
    Query(ReloadQuery { dry_run }): Query<ReloadQuery>,
) -> Response {
    let (answer, answered) = oneshot::channel();
    if shared.requests.send(Request { dry_run, answer }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answered.await {
        Ok(answer) => {
            let status = if answer.refused.is_some() {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::OK
            };
            (status, Json(answer)).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// How long a daemon may take to say how it is.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);
