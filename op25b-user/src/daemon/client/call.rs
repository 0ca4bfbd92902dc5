//! One request to a daemon over the control socket, and its response.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
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
use nix::unistd::{Group, Uid, User};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};
use ulid::Ulid;

use super::body::{Content, Counted, Sent};
use crate::{
    api::Problem,
    daemon::control::{GROUP, socket},
};

/// How long a daemon may take to answer a request that changes nothing.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a daemon that makes a change is asked for its status, which it reports meanwhile.
const PULSE: Duration = Duration::from_secs(10);
/// How long a daemon that stopped may take to be restarted by a service manager.
const RESTART: Duration = Duration::from_secs(5);

/// Why a request failed.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// No daemon listens.
    #[error("no daemon answers at {}{}", path.display(), remains(source))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// This user may not connect.
    #[error("not permitted: {}; this user may not open {}", how_to_join(user, has_group()), path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
        /// This user's name.
        user: String,
    },
    /// The connection broke.
    #[error("the daemon did not answer")]
    Broken(#[from] hyper::Error),
    /// The response is not the metrics.
    #[error("the daemon answered {status} instead of its metrics")]
    NoMetrics {
        /// The HTTP status.
        status: u16,
    },
    /// The daemon did not answer in time.
    #[error("the daemon did not answer within {} s", TIMEOUT.as_secs())]
    Silent,
    /// The daemon refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The request cannot be made.
    #[error("the request cannot be made")]
    Unsendable(#[source] anyhow::Error),
    /// The response cannot be parsed.
    #[error("the daemon's response (status {status}) cannot be parsed")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// Why it cannot be parsed.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// Whether the request cannot have reached a daemon.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Forbidden { .. } | Self::Unsendable(_)
        )
    }

    /// Whether no daemon runs, as opposed to one that does not answer or refuses this user.
    pub(crate) fn is_absence(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
        )
    }

    /// Whether this user may not use the socket.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. })
    }
}

/// A request to a daemon.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path, and the query if there is one.
    pub(super) uri: String,
    pub(super) body: Content,
    /// The idempotency key.
    pub(super) key: Option<Ulid>,
    /// Whether to wait as long as the daemon answers other requests.
    pub(super) is_patient: bool,
    /// Called with the number of the body's bytes sent so far.
    pub(super) sent: Sent,
}

impl Call {
    pub(super) fn get(uri: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            uri: uri.into(),
            body: Content::Json(Bytes::new()),
            key: None,
            is_patient: false,
            sent: Arc::new(|_| {}),
        }
    }

    /// A request that makes a change, once even if it is sent twice.
    pub(super) fn change(
        method: Method,
        uri: impl Into<String>,
        body: Option<&impl Serialize>,
    ) -> Result<Self, ClientError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| ClientError::Unsendable(error.into()))?,
            None => Vec::new(),
        };
        Ok(Self {
            method,
            body: Content::Json(body.into()),
            key: Some(Ulid::generate()),
            // A large change takes time, and a timeout would leave its outcome unknown.
            is_patient: true,
            ..Self::get(uri)
        })
    }

    /// Sends the request, and once more if the connection breaks and a repetition is harmless.
    pub(super) async fn send<T: DeserializeOwned>(&self, runtime_dir: &Path) -> Result<T, ClientError> {
        let answer = self.send_over(connect(runtime_dir).await?, runtime_dir).await;
        let is_harmless = self.method == Method::GET || self.key.is_some();
        match answer {
            Err(ClientError::Broken(why)) if is_harmless => match connect_again(runtime_dir).await {
                Ok(stream) => self.send_over(stream, runtime_dir).await,
                // Not that no daemon runs: one got the request, and may have executed it.
                Err(_) => Err(ClientError::Broken(why)),
            },
            answer => answer,
        }
    }

    async fn send_over<T: DeserializeOwned>(
        &self,
        stream: UnixStream,
        runtime_dir: &Path,
    ) -> Result<T, ClientError> {
        let (status, is_problem, body) = self.exchange(stream, runtime_dir).await?;
        read(status, is_problem, &body)
    }

    /// The status, whether the response is a problem, and its body. Gives up once the daemon answers no more.
    pub(super) async fn exchange(
        &self,
        stream: UnixStream,
        runtime_dir: &Path,
    ) -> Result<(StatusCode, bool, Bytes), ClientError> {
        let mut answer = pin!(self.exchange_patiently(stream));
        let time = if self.is_patient { PULSE } else { TIMEOUT };
        loop {
            match timeout(time, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) if self.is_patient && is_alive(runtime_dir).await => {}
                Err(_) => return Err(ClientError::Silent),
            }
        }
    }

    async fn exchange_patiently(&self, stream: UnixStream) -> Result<(StatusCode, bool, Bytes), ClientError> {
        let request = self.request()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, which also returns its errors.
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (status, is_problem) = (response.status(), is_problem(&response));
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, is_problem, body))
    }

    fn request(&self) -> Result<Request<Counted>, ClientError> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.uri)
            .header(HOST, HeaderValue::from_static("localhost"));
        if self.body.len() > 0 {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(self.body.kind()));
        }
        if let Some(key) = self.key {
            request = request.header("Idempotency-Key", key.to_string());
        }
        request
            .body(Counted::new(self.body.clone(), self.sent.clone()))
            .map_err(|error| ClientError::Unsendable(error.into()))
    }
}

/// Parses a response.
pub(super) fn read<T: DeserializeOwned>(
    status: StatusCode,
    is_problem: bool,
    body: &[u8],
) -> Result<T, ClientError> {
    let unexpected = |source| ClientError::Unexpected {
        status: status.as_u16(),
        source,
    };
    if is_problem {
        let problem = serde_json::from_slice(body).map_err(unexpected)?;
        return Err(ClientError::Refused(Box::new(problem)));
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

/// Whether the daemon answers, or ends connections as one that is being restarted does: a stopped one keeps them open.
async fn is_alive(runtime_dir: &Path) -> bool {
    let Ok(stream) = connect(runtime_dir).await else {
        return true;
    };
    let status = Call::get("/v1/status");
    timeout(TIMEOUT, status.exchange_patiently(stream)).await.is_ok()
}

/// Connects to the daemon whose socket is in a directory.
pub(super) async fn connect(runtime_dir: &Path) -> Result<UnixStream, ClientError> {
    let path = socket(runtime_dir);
    UnixStream::connect(&path).await.map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            let user = user();
            ClientError::Forbidden { path, user }
        } else {
            ClientError::Connect { path, source }
        }
    })
}

/// The name of the user of this process, or a word for it.
fn user() -> String {
    let known = User::from_uid(Uid::effective()).ok().flatten();
    known.map_or_else(|| "USER".to_owned(), |user| user.name)
}

/// What permits a user to open the control socket.
fn how_to_join(user: &str, has_group: bool) -> String {
    if has_group {
        format!(
            "join the group {GROUP} (usermod -aG {GROUP} {user}), or {GROUP}-desk or {GROUP}-view for a part of it, or use sudo"
        )
    } else {
        format!(
            "use sudo, or make the group {GROUP} (groupadd --system {GROUP}), restart the daemon and join it"
        )
    }
}

/// Whether this system has the group to which the daemon opens its socket, as far as that can be known.
fn has_group() -> bool {
    !matches!(Group::from_name(GROUP), Ok(None))
}

/// What a socket is to which nobody listens.
fn remains(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::ConnectionRefused {
        ", the socket of one that has ended"
    } else {
        ""
    }
}

/// Connects to a daemon that has just stopped: it may be restarting.
async fn connect_again(runtime_dir: &Path) -> Result<UnixStream, ClientError> {
    let deadline = Instant::now() + RESTART;
    loop {
        match connect(runtime_dir).await {
            Err(error) if error.is_absence() && Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn who_is_not_permitted_is_told_of_the_group_only_where_there_is_one() {
        assert_eq!(
            how_to_join("alice", true),
            "join the group op25b (usermod -aG op25b alice), or op25b-desk or op25b-view for a part of it, or use sudo"
        );
        assert_eq!(
            how_to_join("alice", false),
            "use sudo, or make the group op25b (groupadd --system op25b), restart the daemon and join it"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_waits_for_a_stopped_daemon_for_ever() {
        let runtime_dir = TempDir::new().unwrap();
        // The kernel accepts connections for a process that does not run.
        let _stopped = UnixListener::bind(socket(runtime_dir.path())).unwrap();
        let change = Call::change(Method::POST, "/v1/reload", None::<&()>).unwrap();
        for (call, longest) in [(Call::get("/v1/exemptions"), TIMEOUT), (change, PULSE + TIMEOUT)] {
            let began = Instant::now();
            let answer = call.send::<serde_json::Value>(runtime_dir.path()).await;
            assert!(matches!(answer, Err(ClientError::Silent)), "{answer:?}");
            assert!(began.elapsed() <= longest + Duration::from_secs(1));
        }
    }
}
