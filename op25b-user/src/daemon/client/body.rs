//! The body of a request, sent in chunks whose progress is reported.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// The size of a chunk: large enough for throughput, small enough for a progress bar.
const CHUNK: usize = 64 << 10;

/// Called with the number of a body's bytes sent so far.
pub(crate) type Sent = Arc<dyn Fn(u64) + Send + Sync>;

/// A body that counts the bytes that are taken from it.
pub(super) struct Counted {
    rest: Bytes,
    length: usize,
    sent: Sent,
}

impl Counted {
    /// `sent` is called with the number of bytes taken so far.
    pub(super) fn new(bytes: Bytes, sent: Sent) -> Self {
        Self {
            length: bytes.len(),
            rest: bytes,
            sent,
        }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(CHUNK);
        let chunk = self.rest.split_to(length);
        let sent = self.length - self.rest.len();
        (self.sent)(sent as u64);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
