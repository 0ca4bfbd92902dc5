//! The body of a request, sent in chunks whose progress is reported.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// The size of a chunk: large enough for throughput, small enough for a progress bar.
const CHUNK: usize = 64 << 10;

/// Called with the number of a body's bytes sent so far.
pub(crate) type Sent = Arc<dyn Fn(u64) + Send + Sync>;

/// What a body consists of.
#[derive(Clone)]
pub(super) enum Content {
    /// A JSON document.
    Json(Bytes),
    /// A file of this size with a JSON document in each line, which takes no memory.
    Lines(Arc<File>, u64),
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Json(bytes) => bytes.len() as u64,
            Self::Lines(_, length) => *length,
        }
    }

    /// The media type.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Lines(..) => "application/x-ndjson",
        }
    }

    /// What follows after so many bytes: at most a chunk.
    fn after(&self, sent: u64) -> io::Result<Bytes> {
        let wanted = usize::try_from(self.len() - sent).unwrap_or(CHUNK).min(CHUNK);
        match self {
            Self::Json(bytes) => {
                let begin = usize::try_from(sent).map_err(io::Error::other)?;
                Ok(bytes.slice(begin..begin + wanted))
            }
            Self::Lines(file, _) => {
                let mut chunk = vec![0; wanted];
                // A local file: this waits for no other process.
                file.read_exact_at(&mut chunk, sent)?;
                Ok(chunk.into())
            }
        }
    }
}

/// A body that counts the bytes that are taken from it.
pub(super) struct Counted {
    content: Content,
    taken: u64,
    sent: Sent,
}

impl Counted {
    /// `sent` is called with the number of bytes taken so far.
    pub(super) fn new(content: Content, sent: Sent) -> Self {
        Self {
            content,
            taken: 0,
            sent,
        }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let chunk = match self.content.after(self.taken) {
            Ok(chunk) => chunk,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.taken += chunk.len() as u64;
        (self.sent)(self.taken);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.taken == self.content.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.len() - self.taken)
    }
}
