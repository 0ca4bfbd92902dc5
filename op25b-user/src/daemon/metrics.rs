//! `GET /v1/metrics`: counters are read at each scrape.

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::error;

use super::{events::scrapes::Scrape, state::Daemon};
use crate::{enforcer::Enforcer, report::Metrics};

impl Daemon {
    /// Answers a scrape; not at all, if the kernel cannot be read.
    pub(super) fn answer_scrape(&self, enforcer: &mut Enforcer, scrape: Scrape) {
        match self.metrics(enforcer).and_then(|metrics| Ok(metrics.to_text()?)) {
            // The client may have gone away.
            Ok(text) => drop(scrape.send(text)),
            Err(error) => error!("cannot collect the metrics: {error:#}"),
        }
    }

    fn metrics(&self, enforcer: &mut Enforcer) -> anyhow::Result<Metrics> {
        let report = self.report(enforcer);
        let (active_exemptions, expired_exemptions) = enforcer.count_exemptions(Timestamp::now());
        let (pools, relays) = (enforcer.policy().pools.len(), enforcer.policy().relays.len());
        let counters = enforcer.counters()?;
        let filter = enforcer.filter().context("no filter is running")?;
        Ok(Metrics {
            report,
            started_at: self.started_at,
            pools,
            relays,
            active_exemptions,
            expired_exemptions,
            counters,
            misses: filter.misses_v6()?,
            map_bytes: filter.map_bytes()?,
        })
    }
}
