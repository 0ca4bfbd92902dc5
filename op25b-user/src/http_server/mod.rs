//! HTTP over the connections of a listener: many clients, some of them slow or silent, in one thread.
//!
//! Every wait for a client is bounded, and no connection keeps another out: when all connection slots are taken, the
//! connection that has been idle longest is evicted. It may be one that sends its request byte by byte or does not read its response.
//! Only a request that has arrived completely is never given up.

mod eviction;

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use futures_util::FutureExt as _;
use hyper::{
    Request, Response,
    body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use self::eviction::{EvictionQueue, QueueEntry, locked};

/// The pause after a failed `accept`: without a free file descriptor the next one fails as well.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Limits in number, size and time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Simultaneous connections.
    pub(crate) connections: usize,
    /// How long opening a connection may take, and the headers of a request, from the end of the previous one.
    pub(crate) headers_time: Duration,
    /// The number of headers of a request.
    pub(crate) headers: usize,
    /// The size of a request's first line and headers, in bytes.
    pub(crate) headers_size: usize,
    /// Whether a connection may have more than one request.
    pub(crate) keep_alive: bool,
}

/// Why a connection broke.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// It could not be opened.
    #[error("it was not opened: {0}")]
    Opening(#[from] io::Error),
    /// Opening it took too long.
    #[error("it was not opened in time")]
    Late,
    /// A request or a response could not be transferred.
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// The slots of the connections.
#[derive(Clone)]
pub(crate) struct Connections {
    limits: Limits,
    slots: Arc<Semaphore>,
    idle: Arc<EvictionQueue>,
}

/// A place for one connection; dropping it makes room for another.
pub(crate) struct Place {
    limits: Limits,
    idle: Arc<EvictionQueue>,
    _slot: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Arc::new(Semaphore::new(limits.connections)),
            idle: Arc::default(),
        }
    }

    /// Makes room for one more connection; `None` if the semaphore is closed.
    pub(crate) async fn room(&self) -> Option<Place> {
        let slot = self.slot().await?;
        Some(Place {
            limits: self.limits,
            idle: Arc::clone(&self.idle),
            _slot: slot,
        })
    }

    /// Waits until no connection is left, and no other is served.
    pub(crate) async fn ended(&self) {
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.slots.acquire_many(all).await;
    }

    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(slot);
        }
        let mut slot = pin!(Arc::clone(&self.slots).acquire_owned());
        loop {
            // One at a time: while it closes, others that enter are no reason to evict more.
            let changed = if self.idle.evict_oldest() {
                self.idle.kept.notified()
            } else {
                self.idle.grew.notified()
            };
            tokio::select! {
                slot = &mut slot => return slot.ok(),
                () = changed => {}
            }
        }
    }
}

impl Place {
    /// Serves a connection, once `opening` has completed, until it ends or is evicted.
    pub(crate) async fn serve<S, F>(
        self,
        opening: impl Future<Output = io::Result<S>>,
        handle: impl Fn(Request<Body>) -> F,
    ) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: Future<Output = Result<Response<Body>, Infallible>>,
    {
        let Self { limits, idle, _slot } = self;
        let evicted = Arc::new(Notify::new());
        let entry: SharedEntry = Arc::new(Mutex::new(Some(idle.enter(&evicted))));
        let stream = tokio::select! {
            opened = timeout(limits.headers_time, opening) => opened.map_err(|_| Broken::Late)??,
            () = evicted.notified() => return Ok(()),
        };
        let service = service_fn(|request: Request<Incoming>| {
            let request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&entry))));
            let response = handle(request);
            let (entry, idle, evicted) = (&entry, &idle, &evicted);
            async move {
                let response = response.await;
                *locked(entry) = Some(idle.enter(evicted));
                response
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(limits.keep_alive)
            .header_read_timeout(limits.headers_time)
            .max_headers(limits.headers)
            .max_header_size(limits.headers_size)
            .max_buf_size(limits.headers_size)
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
        Ok(result?)
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
