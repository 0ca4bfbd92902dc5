//! The other end of the control socket: asking a daemon.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, Uri, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;

use super::control::socket;
use crate::observe::{DaemonReport, ReloadAnswer};

/// Why a daemon did not answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// Nobody listens, or not to this user.
    #[error("no daemon answers at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the daemon did not answer")]
    Broken(#[from] hyper::Error),
    /// The answer is none of this version's.
    #[error("the daemon answered {status} with something else than expected")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// Why it cannot be read.
        source: serde_json::Error,
    },
    /// There are no metrics to be had.
    #[error("the daemon answered {status} instead of its metrics")]
    NoMetrics {
        /// The HTTP status.
        status: u16,
    },
}

/// Asks a daemon for its metrics.
pub(crate) async fn metrics(runtime_dir: &Path) -> Result<String, AskError> {
    let (status, body) = send(runtime_dir, Method::GET, Uri::from_static("/v1/metrics")).await?;
    match String::from_utf8(body.into()) {
        Ok(text) if status == 200 => Ok(text),
        _ => Err(AskError::NoMetrics { status }),
    }
}

/// Asks a daemon how it is.
pub(crate) async fn status(runtime_dir: &Path) -> Result<DaemonReport, AskError> {
    ask(runtime_dir, Method::GET, Uri::from_static("/v1/status")).await
}

/// Has a daemon reload its policy, or only look at it.
pub(crate) async fn reload(runtime_dir: &Path, dry_run: bool) -> Result<ReloadAnswer, AskError> {
    let uri = if dry_run {
        Uri::from_static("/v1/reload?dry_run=true")
    } else {
        Uri::from_static("/v1/reload")
    };
    ask(runtime_dir, Method::POST, uri).await
}

async fn ask<T: DeserializeOwned>(runtime_dir: &Path, method: Method, uri: Uri) -> Result<T, AskError> {
    let (status, body) = send(runtime_dir, method, uri).await?;
    serde_json::from_slice(&body).map_err(|source| AskError::Unexpected { status, source })
}

async fn send(runtime_dir: &Path, method: Method, uri: Uri) -> Result<(u16, Bytes), AskError> {
    let path = socket(runtime_dir);
    let stream = UnixStream::connect(&path)
        .await
        .map_err(|source| AskError::Connect { path, source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; what breaks it is the sender's error as well.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request
        .headers_mut()
        .insert(HOST, hyper::header::HeaderValue::from_static("localhost"));
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
