//! `GET /v1/metrics`: what is counted is read when somebody asks.

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::{Daemon, roles};
use crate::report::Metrics;

/// More than so many who ask at once wait for their turn.
const QUEUE: usize = 4;

/// Somebody who wants to know.
pub(super) type Scrape = oneshot::Sender<String>;

/// Those who ask, one after the other.
pub(super) struct Scrapes(mpsc::Receiver<Scrape>);

impl Scrapes {
    /// Where they ask, and where they are answered.
    pub(super) fn new() -> (mpsc::Sender<Scrape>, Self) {
        let (sender, scrapes) = mpsc::channel(QUEUE);
        (sender, Self(scrapes))
    }

    /// Waits for the next one; for ever, without a socket.
    pub(super) async fn next(&mut self) -> Scrape {
        match self.0.recv().await {
            Some(scrape) => scrape,
            None => std::future::pending().await,
        }
    }
}

impl Daemon {
    /// Tells who asks; nothing, if the kernel does not.
    pub(super) fn tell_metrics(&mut self, scrape: Scrape) {
        match self.metrics().and_then(|metrics| Ok(metrics.to_text()?)) {
            // Who asked may have gone away.
            Ok(text) => drop(scrape.send(text)),
            Err(error) => error!("cannot tell the metrics: {error:#}"),
        }
    }

    fn metrics(&mut self) -> anyhow::Result<Metrics> {
        let report = self.report();
        let now = Timestamp::now();
        let (active_exemptions, expired_exemptions) = self.active_set.count(now);
        let filter = self.enforced.filter().context("nothing is enforced yet")?;
        let counters = roles(&self.policy)
            .map(|role| Ok((role, filter.counters(role)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Metrics {
            report,
            started_at: self.started_at,
            pools: self.policy.pools.len(),
            relays: self.policy.relays.len(),
            active_exemptions,
            expired_exemptions,
            counters,
            misses: filter.misses_v6()?,
            map_bytes: filter.map_bytes()?,
        })
    }
}
