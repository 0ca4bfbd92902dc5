//! The HTTP server of the control socket, in the daemon's one thread.

mod credentials;

use axum::{Router, body::Body};
use hyper::Request;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
    time::sleep,
};
use tower::ServiceExt as _;
use tracing::{debug, warn};

pub(super) use self::credentials::Credentials;
use super::{limits, roles::Groups};
use crate::http_server::{Connections, Limits, PAUSE, Place};

/// A socket that connections arrive at.
pub(super) struct Listener {
    pub(super) listener: UnixListener,
    /// The groups whose members may use it.
    pub(super) groups: Groups,
}

/// Serves connections until no other listener can come. Each listener replaces the one before, whose connections go on.
pub(super) async fn serve(mut listeners: mpsc::Receiver<Listener>, router: Router) {
    let connections = Connections::new(Limits {
        connections: limits::CONNECTIONS,
        headers_time: limits::HEADERS_TIME,
        headers: limits::HEADERS,
        headers_size: limits::HEADERS_SIZE,
        keep_alive: true,
    });
    let Some(mut current) = listeners.recv().await else {
        return;
    };
    loop {
        let Listener { listener, groups } = &current;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            next = listeners.recv() => match next {
                Some(next) => {
                    current = next;
                    continue;
                }
                None => return,
            },
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept a connection at the control socket");
                sleep(PAUSE).await;
                continue;
            }
        };
        let credentials = match Credentials::of(&stream, groups) {
            Ok(credentials) => credentials,
            Err(error) => {
                warn!(%error, "cannot read the credentials of a connection at the control socket");
                continue;
            }
        };
        let Some(place) = connections.room().await else {
            return;
        };
        tokio::spawn(connection(stream, credentials, router.clone(), place));
    }
}

async fn connection(stream: UnixStream, credentials: Credentials, router: Router, place: Place) {
    let handle = |mut request: Request<Body>| {
        request.extensions_mut().insert(credentials);
        router.clone().oneshot(request)
    };
    if let Err(error) = place.serve(std::future::ready(Ok(stream)), handle).await {
        debug!(uid = credentials.uid, %error, "a connection at the control socket broke");
    }
}
