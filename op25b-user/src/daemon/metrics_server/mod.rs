//! Metrics over TCP, as the policy wants them: the daemon's end of the process that serves them (see [`crate::metrics_server`]).
//!
//! A change takes effect once the process that is to serve it has started: until then, and if it cannot, the one before goes on.

mod listeners;
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use self::{listeners::Listeners, process::Process};
use super::events::scrapes::Scrape;
use crate::{
    enforcer::Enforcer,
    fault::{FaultKind, Faults},
    metrics_server::{Configuration, TlsTexts},
    policy::{MetricsServer as Wanted, MetricsTls},
};

/// The pause after a failure. An address may be configured, and a port become free, at any time.
const RETRY: Duration = Duration::from_secs(5);
/// The pause before a process that has ended is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a policy wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Order {
    metrics: Option<Wanted>,
    /// Where relative paths begin.
    directory: PathBuf,
    /// When the policy was loaded: each load reads the certificates again.
    loaded_at: Option<Timestamp>,
}

/// The server, once it is started. It ends with the daemon.
#[derive(Default)]
pub(super) struct MetricsServer(Option<(watch::Sender<Order>, JoinHandle<()>)>);

impl MetricsServer {
    /// Starts it. Its process and its threads keep the privileges that this thread has.
    pub(super) fn start(&mut self, scrapes: mpsc::Sender<Scrape>, faults: Faults) {
        let (orders, ordered) = watch::channel(Order::default());
        self.0 = Some((orders, tokio::spawn(keep(ordered, scrapes, faults))));
    }

    /// Follows the policy that is enforced.
    pub(super) fn follow(&self, enforcer: &Enforcer) {
        let Some((orders, _)) = &self.0 else {
            return;
        };
        let description = enforcer.description();
        let order = Order {
            metrics: enforcer.policy().metrics.clone(),
            directory: description
                .policy_file
                .parent()
                .map(Path::to_owned)
                .unwrap_or_default(),
            loaded_at: Some(description.policy_loaded_at()),
        };
        orders.send_if_modified(|last| {
            let is_changed = *last != order;
            *last = order;
            is_changed
        });
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.0 {
            task.abort();
        }
    }
}

/// Follows orders until no other can come.
async fn keep(mut ordered: watch::Receiver<Order>, scrapes: mpsc::Sender<Scrape>, faults: Faults) {
    let mut serving = Serving::default();
    loop {
        let order = ordered.borrow_and_update().clone();
        let outcome = serving.follow(&order, &scrapes).await;
        let is_done = outcome.is_ok();
        match outcome {
            Ok(()) => faults.clear(FaultKind::MetricsServer),
            Err(error) => faults.raise(
                FaultKind::MetricsServer,
                format!("metrics are not served over TCP as the policy wants it: {error:#}; this is tried again every 5 s"),
            ),
        }
        tokio::select! {
            changed = ordered.changed() => if changed.is_err() {
                return;
            },
            why = serving.ended() => {
                faults.raise(
                    FaultKind::MetricsServer,
                    format!("metrics are not served over TCP: the process that serves them has ended ({why}), and is started again"),
                );
                sleep(PAUSE).await;
            }
            () = sleep(RETRY), if !is_done => {}
        }
    }
}

/// What is served now.
#[derive(Default)]
struct Serving {
    listeners: Listeners,
    process: Option<Process>,
}

impl Serving {
    /// Makes it what is ordered, as far as that is possible. The error says what is not.
    async fn follow(&mut self, order: &Order, scrapes: &mpsc::Sender<Scrape>) -> anyhow::Result<()> {
        let Some(wanted) = &order.metrics else {
            *self = Self::default();
            return Ok(());
        };
        let configuration = configuration(wanted, &order.directory).await?;
        let missing = self.listeners.bind(&wanted.listen);
        let addresses = self.listeners.among(&wanted.listen);
        if addresses.is_empty() {
            return missing;
        }
        let is_served =
            (self.process.as_ref()).is_some_and(|process| process.serves(&configuration, &addresses));
        if !is_served {
            let sockets = self.listeners.sockets(&addresses);
            self.process = Some(Process::start(configuration, addresses, &sockets, scrapes.clone()).await?);
        }
        if missing.is_ok() {
            // Not before: the policy before may have been the better one.
            self.listeners.keep(&wanted.listen);
        }
        missing
    }

    /// Waits until the process ends; without one, for ever.
    async fn ended(&mut self) -> String {
        match &mut self.process {
            Some(process) => {
                let why = process.ended().await;
                self.process = None;
                why
            }
            None => std::future::pending().await,
        }
    }
}

/// What the process is told. The disk of the certificates may be slow.
async fn configuration(wanted: &Wanted, directory: &Path) -> anyhow::Result<Configuration> {
    let allow = wanted.allow.clone();
    let Some(MetricsTls { cert, key, client_ca }) = wanted.tls.clone() else {
        return Ok(Configuration { allow, tls: None });
    };
    let directory = directory.to_owned();
    let reading = spawn_blocking(move || {
        let read = |path: &Path| {
            let path = directory.join(path);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        anyhow::Ok(TlsTexts {
            cert: read(&cert)?,
            key: read(&key)?,
            client_ca: client_ca.as_deref().map(read).transpose()?,
        })
    });
    let tls = Some(reading.await.context("cannot read the certificates")??);
    Ok(Configuration { allow, tls })
}
