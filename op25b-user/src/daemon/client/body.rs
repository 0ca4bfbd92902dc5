//! The body of a request, in pieces, and how much of it is on its way.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::Sent;

/// Large enough that hyper has work, small enough that somebody who watches sees it go.
const PIECE: usize = 64 << 10;

/// A body that is counted as it is taken.
pub(super) struct Counted {
    rest: Bytes,
    length: usize,
    sent: Sent,
}

impl Counted {
    /// The body; `sent` learns how many bytes of it were taken so far.
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
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        let sent = self.length - self.rest.len();
        (self.sent)(sent as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
