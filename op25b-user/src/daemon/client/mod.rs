//! The other end of the control socket: asking a daemon.

mod body;
mod exemptions;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};
use ulid::Ulid;

use self::body::Counted;
pub(crate) use self::exemptions::{Client, Listing};
use super::control::socket;
use crate::{
    api::{Problem, ProblemKind},
    report::{DaemonReport, ReloadAnswer},
};

/// How long a daemon may take to answer what changes nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one that went away may take to come back, which a service manager has it do.
const RETURN: Duration = Duration::from_secs(5);

/// Why a daemon did not answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// Nobody listens, or not to this user.
    #[error("no daemon answers at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the daemon did not answer")]
    Broken(#[from] hyper::Error),
    /// There are no metrics to be had.
    #[error("the daemon answered {status} instead of its metrics")]
    NoMetrics {
        /// The HTTP status.
        status: u16,
    },
    /// It takes too long.
    #[error("the daemon did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It does not do what it was asked for.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The question cannot be put.
    #[error("this cannot be asked of a daemon")]
    Unspeakable(#[source] anyhow::Error),
    /// The answer is none of this version's.
    #[error("the daemon answered {status} with something else than expected")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// Why it cannot be read.
        source: serde_json::Error,
    },
}

impl AskError {
    /// Whether nobody can have been asked.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Unspeakable(_))
    }

    /// Whether there is no daemon at all, as opposed to one that does not answer, or not this user.
    pub(crate) fn is_absence(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
        )
    }

    /// Whether the socket is not for this user.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Asks a daemon for its metrics.
pub(crate) async fn metrics(runtime_dir: &Path) -> Result<String, AskError> {
    let (status, _, body) = Question::get("/v1/metrics")
        .exchange(connect(runtime_dir).await?)
        .await?;
    match String::from_utf8(body.into()) {
        Ok(text) if status == StatusCode::OK => Ok(text),
        _ => Err(AskError::NoMetrics {
            status: status.as_u16(),
        }),
    }
}

/// Asks a daemon how it is.
pub(crate) async fn status(runtime_dir: &Path) -> Result<DaemonReport, AskError> {
    let question = Question {
        // Whoever asks decides how long to wait, and has something to say if it is for nothing.
        is_patient: true,
        ..Question::get("/v1/status")
    };
    question.ask(runtime_dir).await
}

/// Has a daemon reload its policy, or only look at it.
pub(crate) async fn reload(runtime_dir: &Path, dry_run: bool) -> Result<ReloadAnswer, AskError> {
    let path = if dry_run {
        "/v1/reload?dry_run=true"
    } else {
        "/v1/reload"
    };
    let question = Question {
        method: Method::POST,
        is_patient: true,
        ..Question::get(path)
    };
    let (status, is_problem, body) = question.exchange(connect(runtime_dir).await?).await?;
    // A refused policy is a problem that says everything that a reload says.
    let is_refused_policy = || {
        let problem = serde_json::from_slice(&body);
        problem.is_ok_and(|problem: Problem| problem.is(ProblemKind::PolicyRefused))
    };
    read(status, is_problem && !is_refused_policy(), &body)
}

/// What is asked of a daemon.
struct Question {
    method: Method,
    /// The path, and the query if there is one.
    uri: String,
    body: Bytes,
    /// By this the daemon knows a repetition from a second request.
    key: Option<Ulid>,
    /// Whether to wait as long as it takes.
    is_patient: bool,
    /// Learns how many bytes of the body are on their way.
    sent: Sent,
}

/// Learns how many bytes of a body are on their way.
pub(crate) type Sent = Arc<dyn Fn(u64) + Send + Sync>;

impl Question {
    fn get(uri: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            uri: uri.into(),
            body: Bytes::new(),
            key: None,
            is_patient: false,
            sent: Arc::new(|_| {}),
        }
    }

    /// One that changes something, and does so once even if it has to be asked twice.
    fn change(
        method: Method,
        uri: impl Into<String>,
        body: Option<&impl Serialize>,
    ) -> Result<Self, AskError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| AskError::Unspeakable(error.into()))?,
            None => Vec::new(),
        };
        Ok(Self {
            method,
            body: body.into(),
            key: Some(Ulid::generate()),
            // What is large takes its time; giving up would not say whether it was done.
            is_patient: true,
            ..Self::get(uri)
        })
    }

    /// Puts the question, and once more if the connection breaks and asking again does no harm.
    async fn ask<T: DeserializeOwned>(&self, runtime_dir: &Path) -> Result<T, AskError> {
        let answer = self.ask_at(connect(runtime_dir).await?).await;
        let is_harmless = self.method == Method::GET || self.key.is_some();
        match answer {
            Err(AskError::Broken(why)) if is_harmless => match connect_again(runtime_dir).await {
                Ok(stream) => self.ask_at(stream).await,
                // Not that there is no daemon: one was asked, and may have done it.
                Err(_) => Err(AskError::Broken(why)),
            },
            answer => answer,
        }
    }

    async fn ask_at<T: DeserializeOwned>(&self, stream: UnixStream) -> Result<T, AskError> {
        let answer = self.exchange(stream);
        let (status, is_problem, body) = if self.is_patient {
            answer.await?
        } else {
            timeout(PATIENCE, answer).await.map_err(|_| AskError::Silent)??
        };
        read(status, is_problem, &body)
    }

    /// The status, whether it is a problem that is answered, and the answer.
    async fn exchange(&self, stream: UnixStream) -> Result<(StatusCode, bool, Bytes), AskError> {
        let request = self.request()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; what breaks it is the sender's error as well.
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (status, is_problem) = (response.status(), is_problem(&response));
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, is_problem, body))
    }

    fn request(&self) -> Result<Request<Counted>, AskError> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.uri)
            .header(HOST, HeaderValue::from_static("localhost"));
        if !self.body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = self.key {
            request = request.header("Idempotency-Key", key.to_string());
        }
        request
            .body(Counted::new(self.body.clone(), self.sent.clone()))
            .map_err(|error| AskError::Unspeakable(error.into()))
    }
}

/// What an answer says.
fn read<T: DeserializeOwned>(status: StatusCode, is_problem: bool, body: &[u8]) -> Result<T, AskError> {
    let unexpected = |source| AskError::Unexpected {
        status: status.as_u16(),
        source,
    };
    if is_problem {
        let problem = serde_json::from_slice(body).map_err(unexpected)?;
        return Err(AskError::Refused(Box::new(problem)));
    }
    serde_json::from_slice(body).map_err(unexpected)
}

fn is_problem(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/problem+json"))
}

async fn connect(runtime_dir: &Path) -> Result<UnixStream, AskError> {
    let path = socket(runtime_dir);
    UnixStream::connect(&path)
        .await
        .map_err(|source| AskError::Connect { path, source })
}

/// Connects to a daemon that was there just now: it may be starting again.
async fn connect_again(runtime_dir: &Path) -> Result<UnixStream, AskError> {
    let deadline = Instant::now() + RETURN;
    loop {
        match connect(runtime_dir).await {
            Err(error) if error.is_absence() && Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            result => return result,
        }
    }
}
