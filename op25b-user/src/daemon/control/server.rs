//! Serving many clients from the daemon's one thread, of whom some are slow, silent or talk nonsense.
//!
//! Nothing here waits for a client without an end, and no client's connection keeps another's out: when all places are
//! taken, the connection that has waited longest for its client makes room. It may be one that sends its request byte by
//! byte, or that does not read its answer. Only a request that is there to its end is not given up.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body};
use futures_util::FutureExt as _;
use hyper::{
    Request,
    body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::Gid;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::{
    limits,
    peer::Peer,
    waiting::{Place, Waiting, locked},
};

/// How long to wait after a connection could not be taken: without file descriptors the next one cannot either.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves whoever connects, for ever; `group` is whose members may change things.
pub(super) async fn serve(listener: UnixListener, group: Option<Gid>, router: Router) {
    let slots = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let waiting = Arc::new(Waiting::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot take a connection at the control socket");
                sleep(PAUSE).await;
                continue;
            }
        };
        let peer = match Peer::of(&stream, group) {
            Ok(peer) => peer,
            Err(error) => {
                warn!(%error, "cannot tell who connected to the control socket");
                continue;
            }
        };
        let Some(slot) = room(&slots, &waiting).await else {
            return;
        };
        tokio::spawn(connection(
            stream,
            peer,
            router.clone(),
            Arc::clone(&waiting),
            slot,
        ));
    }
}

/// A place for one more connection; nothing if there will never be one.
async fn room(slots: &Arc<Semaphore>, waiting: &Waiting) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some(slot);
    }
    let mut slot = pin!(Arc::clone(slots).acquire_owned());
    loop {
        waiting.dismiss_longest();
        tokio::select! {
            slot = &mut slot => return slot.ok(),
            () = waiting.grew.notified() => {}
        }
    }
}

async fn connection(
    stream: UnixStream,
    peer: Peer,
    router: Router,
    waiting: Arc<Waiting>,
    _slot: OwnedSemaphorePermit,
) {
    let dismissed = Arc::new(Notify::new());
    let place: SharedPlace = Arc::new(Mutex::new(Some(waiting.enter(&dismissed))));
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&place))));
        request.extensions_mut().insert(peer);
        let router = router.clone();
        let (place, waiting, dismissed) = (&place, &waiting, &dismissed);
        async move {
            let response = router.oneshot(request).await;
            *locked(place) = Some(waiting.enter(dismissed));
            response
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADERS_TIME)
        .max_headers(limits::HEADERS)
        .max_header_size(limits::HEADERS_SIZE)
        .max_buf_size(limits::HEADERS_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = dismissed.notified() => {
            served.as_mut().graceful_shutdown();
            // An answer goes out as far as the client has left room for it. Waiting for more would keep others out.
            served.now_or_never().unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        debug!(uid = peer.uid, %error, "a connection at the control socket broke off");
    }
}

/// A connection's place in the line of those that wait for their clients, if it is in there.
type SharedPlace = Arc<Mutex<Option<Place>>>;

/// A body on its way; once it is there, its connection does not wait for the client any more.
struct Arriving {
    body: Incoming,
    place: SharedPlace,
}

impl Arriving {
    fn new(body: Incoming, place: SharedPlace) -> Self {
        let arriving = Self { body, place };
        if arriving.is_end_stream() {
            arriving.arrived();
        }
        arriving
    }

    fn arrived(&self) {
        locked(&self.place).take();
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.arrived();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
