//! The pages that the daemon is asked for.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hyper::body::Bytes;
use tokio::{
    io,
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{MOST_PAGE, read_frame, write_frame};
use crate::report::MetricsFormat;

/// How old a page may be that is given to another client who wants the same format: so often may clients have the daemon read the kernel,
/// whatever they do.
const REUSED: Duration = Duration::from_millis(250);
/// How long a client waits for a page.
const PATIENCE: Duration = Duration::from_secs(9);

/// A client that waits for a page of a format.
pub(super) type Asked = (MetricsFormat, oneshot::Sender<Bytes>);
/// Where clients ask.
pub(super) type Pages = mpsc::Sender<Asked>;

/// A page that was read just now; `None` if the daemon has none.
pub(super) async fn page(pages: &Pages, format: MetricsFormat) -> Option<Bytes> {
    let (answer, answered) = oneshot::channel();
    let page = async {
        pages.send((format, answer)).await.ok()?;
        answered.await.ok()
    };
    timeout(PATIENCE, page).await.ok()?
}

/// Answers clients until the daemon ends.
pub(super) async fn answer(mut daemon: UnixStream, mut asked: mpsc::Receiver<Asked>) {
    let mut newest = BTreeMap::<MetricsFormat, (Instant, Bytes)>::new();
    loop {
        let client = tokio::select! {
            client = asked.recv() => client,
            () = ended(&daemon) => None,
        };
        let Some((format, client)) = client else {
            return;
        };
        let reusable = newest.get(&format).filter(|(at, _)| at.elapsed() < REUSED);
        let page = match reusable {
            Some((_, page)) => page.clone(),
            None => match ask(&mut daemon, format).await {
                Ok(page) => page,
                Err(_) => return,
            },
        };
        // It is empty if the daemon could not read the kernel.
        if !page.is_empty() {
            newest.insert(format, (Instant::now(), page.clone()));
            // The client may have gone away.
            let _ = client.send(page);
        }
    }
}

/// Waits until the daemon has ended. It says nothing unless it is asked.
async fn ended(daemon: &UnixStream) {
    while daemon.readable().await.is_ok() {
        let read = daemon.try_read(&mut [0]);
        if !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
    }
}

async fn ask(daemon: &mut UnixStream, format: MetricsFormat) -> io::Result<Bytes> {
    write_frame(daemon, format.media_type().as_bytes()).await?;
    Ok(Bytes::from(read_frame(daemon, MOST_PAGE).await?))
}
