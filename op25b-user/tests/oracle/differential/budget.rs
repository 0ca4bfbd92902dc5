//! How long the differential test goes on, and what it has covered.

use std::{
    collections::BTreeMap,
    env, fmt,
    time::{Duration, Instant},
};

use crate::verdict::{Answer, Reason, Role, Verdict};

/// How many seconds to go on, rather than for [`PAIRS`].
const VARIABLE: &str = "OP25B_FUZZ_SECONDS";

/// Policies with a packet that are compared by default.
const PAIRS: usize = 25_000;

/// When to end, and what was compared so far.
pub struct Budget {
    end: Option<Instant>,
    seen: BTreeMap<(&'static str, &'static str, &'static str), usize>,
}

impl Budget {
    pub fn from_environment() -> Self {
        let end = env::var(VARIABLE).ok().map(|text| match text.parse() {
            Ok(seconds) => Instant::now() + Duration::from_secs(seconds),
            Err(error) => panic!("{VARIABLE}={text}: {error}"),
        });
        Self {
            end,
            seen: BTreeMap::new(),
        }
    }

    pub fn is_spent(&self) -> bool {
        match self.end {
            Some(end) => Instant::now() >= end,
            None => self.pairs() >= PAIRS,
        }
    }

    /// One more pair on which they agree.
    pub fn count(&mut self, role: Role, answer: &Answer) {
        let key = (role.name(), answer.reason.name(), answer.verdict.name());
        *self.seen.entry(key).or_default() += 1;
    }

    pub fn pairs(&self) -> usize {
        self.seen.values().sum()
    }

    fn of(&self, is_meant: impl Fn(&str, &str) -> bool) -> usize {
        let meant = self
            .seen
            .iter()
            .filter(|((_, reason, verdict), _)| is_meant(reason, verdict));
        meant.map(|(_, count)| count).sum()
    }

    /// A generator that no longer gets anywhere would agree with everything.
    pub fn assert_that_every_row_was_met(&self) {
        if self.end.is_some() {
            return;
        }
        assert!(self.pairs() >= PAIRS, "only {} pairs", self.pairs());
        for reason in Reason::ALL {
            let met = self.of(|name, _| name == reason.name());
            assert!(met >= 20, "{} was met {met} times\n{self}", reason.name());
        }
        for verdict in Verdict::ALL {
            let met = self.of(|_, name| name == verdict.name());
            assert!(met >= 20, "{} was met {met} times\n{self}", verdict.name());
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pairs of policy and packet, no difference:", self.pairs())?;
        for ((role, reason, verdict), count) in &self.seen {
            write!(f, "\n{count:>9} {role:<10} {reason:<14} {verdict}")?;
        }
        Ok(())
    }
}
