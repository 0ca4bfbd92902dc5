//! The impact of a policy as text.

use std::fmt;

use jiff::tz::TimeZone;

use super::{Affected, Impact, PoolImpact};
use crate::{policy::characters::printable, time::show};

/// The most that are named of each kind.
const MOST_NAMED: usize = 20;
/// The most prefixes that are named of a customer.
const MOST_PREFIXES: usize = 3;

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = show::minute(self.since, &TimeZone::system());
        let examined = match self.examined {
            0 => format!("no subscriber has an attempt recorded since {since}"),
            1 => format!("1 subscriber has attempts recorded since {since}"),
            many => format!("{many} subscribers have attempts recorded since {since}"),
        };
        if self.blocked() + self.free() == 0 {
            writeln!(f, "impact: nobody known becomes blocked or free ({examined})")?;
        } else {
            writeln!(f, "impact ({examined}):")?;
            direction(
                f,
                "blocked",
                self.blocked(),
                &self.becomes_blocked,
                &self.by_pool,
                |pool| pool.becomes_blocked,
            )?;
            direction(
                f,
                "free",
                self.free(),
                &self.becomes_free,
                &self.by_pool,
                |pool| pool.becomes_free,
            )?;
        }
        if !self.pools_not_remembered.is_empty() {
            writeln!(
                f,
                "  of subscribers without exemptions in these pools nothing is known, as the policy remembers none: {}",
                self.pools_not_remembered.join(", ")
            )?;
        }
        Ok(())
    }
}

fn direction(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    total: usize,
    listed: &[Affected],
    by_pool: &[PoolImpact],
    count: impl Fn(&PoolImpact) -> usize,
) -> fmt::Result {
    if total == 0 {
        return Ok(());
    }
    let pools = by_pool.iter().filter(|pool| count(pool) > 0);
    let pools = pools.map(|pool| {
        let name = pool.pool.as_deref().unwrap_or("outside all pools");
        format!("{name} {}", count(pool))
    });
    let verb = if total == 1 { "becomes" } else { "become" };
    writeln!(
        f,
        "  {total} {verb} {what} (by pool: {})",
        pools.collect::<Vec<_>>().join(", ")
    )?;
    for affected in listed.iter().take(MOST_NAMED) {
        writeln!(f, "    {}", printable(&affected.to_string()))?;
    }
    match total.saturating_sub(listed.len().min(MOST_NAMED)) {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more"),
    }
}

impl fmt::Display for Affected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.iter().take(MOST_PREFIXES).cloned();
        let more = self.who.len().saturating_sub(MOST_PREFIXES);
        let more = (more > 0).then(|| format!("{more} more"));
        let who = who.chain(more).collect::<Vec<_>>().join(", ");
        match (&self.customer, &self.exemption) {
            (Some(customer), Some(id)) => write!(f, "{customer}, {who} (exemption {id})")?,
            (Some(customer), None) => write!(f, "{customer}, {who}")?,
            (None, _) => f.write_str(&who)?,
        }
        write!(f, ": {} -> {}", self.was, self.becomes)?;
        if let Some(destination) = self.destination {
            write!(f, ", to {destination}")?;
        }
        if self.port != 25 {
            write!(f, ", port {}", self.port)?;
        }
        match self.last_seen {
            Some(at) => write!(f, ", last attempt {}", show::instant(at, &TimeZone::system())),
            None => Ok(()),
        }
    }
}
