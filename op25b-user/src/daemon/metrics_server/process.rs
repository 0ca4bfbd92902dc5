//! One process that serves metrics: starting it, giving it pages, ending it.

use std::{
    net::SocketAddr,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::super::events::scrapes::Scrape;
use crate::{
    metrics_server::{ARGUMENT, Configuration, MOST_PAGE, Started, read_frame, send_listeners, write_frame},
    report::MetricsFormat,
};

/// How long the process may take to start.
const START_TIME: Duration = Duration::from_secs(20);
/// How long it may go on with the clients that it has, once another one serves.
const END_TIME: Duration = Duration::from_secs(10);
/// The longest frame that asks for a page.
const MOST_QUESTION: usize = 256;
/// The largest answer to the configuration.
const MOST_ANSWER: usize = 64 * 1024;

/// A process that serves; dropping it lets it finish.
pub(super) struct Process {
    configuration: Configuration,
    addresses: Vec<SocketAddr>,
    child: Option<Child>,
    pages: JoinHandle<()>,
}

impl Process {
    /// Starts one, and waits until it serves.
    pub(super) async fn start(
        configuration: Configuration,
        addresses: Vec<SocketAddr>,
        sockets: &[BorrowedFd<'_>],
        scrapes: mpsc::Sender<Scrape>,
    ) -> anyhow::Result<Self> {
        let (ours, theirs) = StdStream::pair().context("cannot make a pair of sockets")?;
        ours.set_nonblocking(true)?;
        send_listeners(&ours, sockets, &configuration)?;
        // This program, also after an upgrade has replaced its file.
        let child = Command::new("/proc/self/exe")
            .arg0("op25b")
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // A signal of the terminal is for the daemon.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the process that serves metrics")?;
        let mut ours = UnixStream::from_std(ours)?;
        let answer = timeout(START_TIME, read_frame(&mut ours, MOST_ANSWER)).await;
        let answer = answer.context("the process that serves metrics does not start")?;
        let answer = answer.context("the process that serves metrics has ended")?;
        let Started { error } = serde_json::from_slice(&answer)?;
        if let Some(error) = error {
            bail!("{error}");
        }
        Ok(Self {
            configuration,
            addresses,
            child: Some(child),
            pages: tokio::spawn(give_pages(ours, scrapes)),
        })
    }

    /// Whether this is what it serves.
    pub(super) fn serves(&self, configuration: &Configuration, addresses: &[SocketAddr]) -> bool {
        self.configuration == *configuration && self.addresses == addresses
    }

    /// Waits until it ends by itself, and returns how.
    pub(super) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => std::future::pending().await,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends when it is given no pages any more.
        self.pages.abort();
        if let Some(mut child) = self.child.take() {
            tokio::spawn(async move {
                let _ = timeout(END_TIME, child.wait()).await;
            });
        }
    }
}

/// Gives the process a page whenever it asks for one, until it ends.
async fn give_pages(mut process: UnixStream, scrapes: mpsc::Sender<Scrape>) {
    while let Ok(asked) = read_frame(&mut process, MOST_QUESTION).await {
        let Some(format) = MetricsFormat::of_media_type(&asked) else {
            return;
        };
        let (answer, answered) = oneshot::channel();
        if scrapes.send(Scrape::Metrics(format, answer)).await.is_err() {
            return;
        }
        // Without an answer the kernel could not be read, and the log says why.
        let page = answered.await.unwrap_or_default();
        let page = if page.len() > MOST_PAGE { "" } else { &page };
        if write_frame(&mut process, page.as_bytes()).await.is_err() {
            return;
        }
    }
}
