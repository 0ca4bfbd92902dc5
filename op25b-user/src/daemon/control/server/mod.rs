//! The HTTP server of the control socket: many clients, some of them slow or silent, in the daemon's one thread.
//!
//! Every wait for a client is bounded, and no connection keeps another out: when all connection slots are taken, the
//! connection that has been idle longest is evicted. It may be one that sends its request byte by byte or does not read its response.
//! Only a request that has arrived completely is never given up.

mod credentials;
mod eviction;

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
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    time::sleep,
};
use tower::ServiceExt as _;
use tracing::{debug, warn};

pub(super) use self::credentials::Credentials;
use self::eviction::{EvictionQueue, QueueEntry, locked};
use super::{limits, roles::Groups};

/// The pause after a failed `accept`: without a free file descriptor the next one fails as well.
const PAUSE: Duration = Duration::from_secs(1);

/// A socket that connections arrive at.
pub(super) struct Listener {
    pub(super) listener: UnixListener,
    /// The groups whose members may use it.
    pub(super) groups: Groups,
}

/// Serves connections until no other listener can come. Each listener replaces the one before, whose connections go on.
pub(super) async fn serve(mut listeners: mpsc::Receiver<Listener>, router: Router) {
    let slots = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let idle = Arc::new(EvictionQueue::default());
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
        let Some(slot) = room(&slots, &idle).await else {
            return;
        };
        tokio::spawn(connection(
            stream,
            credentials,
            router.clone(),
            Arc::clone(&idle),
            slot,
        ));
    }
}

/// Makes room for one more connection; `None` if the semaphore is closed.
async fn room(slots: &Arc<Semaphore>, idle: &EvictionQueue) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some(slot);
    }
    let mut slot = pin!(Arc::clone(slots).acquire_owned());
    loop {
        // One at a time: while it closes, others that enter are no reason to evict more.
        let changed = if idle.evict_oldest() {
            idle.kept.notified()
        } else {
            idle.grew.notified()
        };
        tokio::select! {
            slot = &mut slot => return slot.ok(),
            () = changed => {}
        }
    }
}

async fn connection(
    stream: UnixStream,
    credentials: Credentials,
    router: Router,
    idle: Arc<EvictionQueue>,
    _slot: OwnedSemaphorePermit,
) {
    let evicted = Arc::new(Notify::new());
    let entry: SharedEntry = Arc::new(Mutex::new(Some(idle.enter(&evicted))));
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&entry))));
        request.extensions_mut().insert(credentials);
        let router = router.clone();
        let (entry, idle, evicted) = (&entry, &idle, &evicted);
        async move {
            let response = router.oneshot(request).await;
            *locked(entry) = Some(idle.enter(evicted));
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
    let result = loop {
        tokio::select! {
            result = served.as_mut() => break result,
            () = evicted.notified() => {
                // Its request may have arrived at the same time.
                if locked(&entry).is_none() {
                    idle.kept.notify_one();
                    continue;
                }
                served.as_mut().graceful_shutdown();
                // What fits into the socket's buffer is still sent. Waiting for more would keep others out.
                break served.as_mut().now_or_never().unwrap_or(Ok(()));
            }
        }
    };
    if let Err(error) = result {
        debug!(uid = credentials.uid, %error, "a connection at the control socket broke");
    }
}

/// A connection's entry in the queue of idle ones; `None` while its request is handled.
type SharedEntry = Arc<Mutex<Option<QueueEntry>>>;

/// A request's body. When it has arrived, its connection is idle no longer.
struct Arriving {
    body: Incoming,
    entry: SharedEntry,
}

impl Arriving {
    fn new(body: Incoming, entry: SharedEntry) -> Self {
        let arriving = Self { body, entry };
        if arriving.is_end_stream() {
            arriving.arrived();
        }
        arriving
    }

    fn arrived(&self) {
        locked(&self.entry).take();
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
