//! The options of commands that read the history, and what they read by them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    daemon::{Response, ask},
    directories,
    paths::{Paths, STATE_DIR},
    policy_source::Source,
    progress::Progress,
    stderr,
    subscribers::prefix,
};
use crate::{
    api::{NewRead, Problem, ReadKind},
    report::activity::{Period, Rules},
    session::SessionIndex,
    store::{
        StoreError,
        activity::{ActivityReader, Bucket, BucketQuery},
        sessions::{SessionQuery, SessionsReader},
    },
    time::{Reader, TimeError, longest},
};

/// Which part of the history is read.
#[derive(Debug, ClapArgs)]
pub(super) struct Selection {
    /// Only subscribers of this pool.
    #[arg(long, value_name = "NAME")]
    pub(super) pool: Option<String>,
    /// Only subscribers in this prefix, or the subscriber of this address.
    #[arg(long = "src", alias = "in", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// The beginning of the period: a time before now such as `12h` or `7d`, or a date or time such as `2026-11-01`.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// The end of the period; a date is the end of that day. The default is now.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// How far the clocks of those that log sessions may be apart from that of this router.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = skew)]
    pub(super) skew: SignedDuration,
    /// Use this policy file, with its exemptions alone, instead of the policy that is enforced here; the history is then that
    /// in `--state-dir`.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Why it is read: for the daemon, which records who reads the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    pub(super) paths: Paths,
}

/// The history, as it is selected.
pub(super) struct History<'a> {
    pub(super) period: Period,
    pub(super) reader: ActivityReader,
    rules: &'a Rules<'a>,
    pool: Option<usize>,
    query: BucketQuery,
}

impl Selection {
    /// The policy that is enforced here, or the file that was given; `None` if there is none.
    pub(super) fn source(&self) -> anyhow::Result<Option<Source>> {
        Source::read(self.policy.as_deref(), &self.paths)
    }

    /// The number of the pool in a policy, if one is named; or that there is none of that name.
    pub(super) fn pool_of(&self, source: &Source) -> Result<Option<usize>, String> {
        match &self.pool {
            None => Ok(None),
            Some(pool) => Ok(source.chosen(std::slice::from_ref(pool))?.first().copied()),
        }
    }

    /// Has the daemon record that the history is read; why it refuses that. Without a daemon nothing records it, but the policy may
    /// require a reason all the same. The copy of a state directory that is read with a policy of one's own is no daemon's.
    pub(super) fn note_read(
        &self,
        what: ReadKind,
        source: &Source,
    ) -> anyhow::Result<Result<(), Box<Problem>>> {
        if self.policy.is_some() && self.paths.state_dir != Path::new(STATE_DIR) {
            return Ok(Ok(()));
        }
        let read = NewRead {
            what,
            pool: self.pool.clone(),
            within: self.within.map(|net| net.to_string()),
            reason: self.reason.clone(),
        };
        Ok(
            match ask(&self.paths, async |client| client.note_read(&read).await)? {
                Response::Done(_) => Ok(()),
                Response::Refused(problem) => Err(problem),
                Response::NoDaemon if self.reason.is_none() && source.policy.privacy.require_reason => {
                    Err(Problem::reason_required("reason").into())
                }
                Response::NoDaemon => {
                    stderr::line("op25b: no daemon runs, which would record who reads the history");
                    Ok(())
                }
            },
        )
    }

    /// The history in the state directory of the filter here; with a policy file of one's own in that which was given.
    pub(super) fn history<'a>(
        &self,
        rules: &'a Rules<'a>,
        pool: Option<usize>,
        now: Timestamp,
    ) -> anyhow::Result<History<'a>> {
        self.history_if_any(rules, pool, now)?.with_context(|| {
            format!(
                "there is no history in {}: the daemon writes it, unless the policy has `history: off`",
                self.state_dir().display()
            )
        })
    }

    /// The same; `None` if there is none.
    pub(super) fn history_if_any<'a>(
        &self,
        rules: &'a Rules<'a>,
        pool: Option<usize>,
        now: Timestamp,
    ) -> anyhow::Result<Option<History<'a>>> {
        let period = self.period(now)?;
        let reader = ActivityReader::open(&self.state_dir())?;
        Ok(reader.map(|reader| History {
            period,
            reader,
            rules,
            pool,
            query: BucketQuery {
                within: self.within(rules, pool),
                since: Some(period.since),
                until: Some(period.until),
            },
        }))
    }

    /// The sessions of a period, and of a day more at both ends: a bucket may begin before it.
    pub(super) fn sessions(&self, period: Period) -> anyhow::Result<SessionIndex> {
        self.sessions_if_any(period)?.with_context(|| {
            format!(
                "there are no sessions in {}: `op25b sessions import` reads them",
                self.state_dir().display()
            )
        })
    }

    /// The same; `None` if there are none.
    pub(super) fn sessions_if_any(
        &self,
        Period { since, until }: Period,
    ) -> anyhow::Result<Option<SessionIndex>> {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        let Some(sessions) = SessionsReader::open(&self.state_dir())? else {
            return Ok(None);
        };
        let _progress = Progress::of("reading the sessions");
        let index = sessions.index(&SessionQuery {
            since: Some(since.checked_sub(DAY).unwrap_or(Timestamp::MIN)),
            until: Some(until.checked_add(DAY).unwrap_or(Timestamp::MAX)),
            ..SessionQuery::default()
        })?;
        Ok(Some(index))
    }

    /// Whether less than pools is selected: sums are about one subscriber then.
    pub(super) fn is_of_a_prefix(&self) -> bool {
        self.within.is_some()
    }

    /// Whether a policy file is read instead of what is enforced here.
    pub(super) fn has_policy_file(&self) -> bool {
        self.policy.is_some()
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        match self.policy {
            Some(_) => self.paths.state_dir.clone(),
            None => directories::state(&self.paths),
        }
    }

    pub(super) fn period(&self, now: Timestamp) -> Result<Period, TimeError> {
        let time_zone = TimeZone::system();
        let reader = Reader::new(now, &time_zone);
        let until = self.until.as_deref().map(|until| reader.back_until(until));
        Ok(Period {
            since: reader.beginning(&self.since)?,
            until: until.transpose()?.unwrap_or(now),
        })
    }

    /// The prefixes of which buckets are read. Those of a pool have other subscribers, too, if another pool has longer ones.
    fn within(&self, rules: &Rules<'_>, pool: Option<usize>) -> Vec<IpNet> {
        /// Each bucket is compared with all of them.
        const MOST: usize = 64;
        match (self.within, pool.map(|pool| &rules.pools()[pool].prefixes)) {
            (Some(within), _) => vec![within],
            (None, Some(prefixes)) if prefixes.len() <= MOST => {
                prefixes.iter().map(|prefix| prefix.net).collect()
            }
            (None, _) => Vec::new(),
        }
    }
}

impl History<'_> {
    /// The same from an earlier time on.
    pub(super) fn since(mut self, since: Timestamp) -> Self {
        self.query.since = Some(since);
        self
    }

    /// Visits each bucket with the number of its pool. They are visited by their time: what is done is a share of the period.
    pub(super) fn each(&self, mut visit: impl FnMut(&Bucket, Option<usize>)) -> Result<(), StoreError> {
        let oldest = self.reader.covered()?.oldest;
        let since = self.query.since.max(oldest).unwrap_or(Timestamp::MIN);
        let progress = Progress::of_share(
            "reading the history",
            seconds(since, self.query.until.unwrap_or(Timestamp::MAX)),
        );
        self.reader.each(&self.query, |bucket| {
            progress.line().reached(seconds(since, bucket.start));
            let pool = self.rules.pool(bucket.subscriber);
            if self.pool.is_none() || self.pool == pool {
                visit(&bucket, pool);
            }
        })
    }
}

/// How many seconds one time is after another.
fn seconds(since: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(since).as_secs()).unwrap_or(0)
}

/// A duration, or none.
fn skew(text: &str) -> Result<SignedDuration, TimeError> {
    if text == "0s" {
        return Ok(SignedDuration::ZERO);
    }
    longest(text)
}
