//! What is conspicuous about the sessions of a time: those without an end, overlaps of two customers, and gaps.

use std::collections::HashMap;

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::row;
use crate::session::{
    SKEW_SECONDS,
    timeline::{self, Entry},
};

/// The most overlaps that are listed.
const LISTED: usize = 5;

/// The sessions of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Survey {
    /// When the first session of the import began; null if it has none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// When the last session of the import was seen last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How many sessions are stored of that time, of this import and of others.
    pub sessions: usize,
    /// Of how many customers.
    pub customers: usize,
    /// How many customers have several prefixes.
    pub with_several_prefixes: usize,
    /// Of how many addresses and prefixes.
    pub prefixes: usize,
    /// How many of them have no end.
    pub open: usize,
    /// How many overlap one of another customer for longer than clocks may differ.
    pub overlaps: usize,
    /// How many overlap one of another customer for no longer than that.
    pub short_overlaps: usize,
    /// The first of the overlaps.
    pub first_overlaps: Vec<Overlap>,
    /// How often an address or prefix had no session between two, for longer than clocks may differ.
    pub gaps: usize,
    /// The longest of these times.
    pub longest_gap: Option<Gap>,
}

/// A time in which sessions of two customers have the same address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overlap {
    /// The prefix of the session that began later.
    #[schema(value_type = String, example = "198.51.100.7/32")]
    pub prefix: IpNet,
    /// The customers.
    pub customers: [String; 2],
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// A time in which an address or a prefix had no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// The address or prefix.
    #[schema(value_type = String, example = "198.51.100.7/32")]
    pub prefix: IpNet,
    /// When the session before it was seen last.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When the session after it began.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// The sessions of a prefix that were read so far.
struct Group {
    prefix: IpNet,
    entries: Vec<Entry<i64>>,
}

/// In which prefixes a customer has sessions.
enum Prefixes {
    /// In the one with this number.
    One(usize),
    Several,
}

struct Sweep<'c> {
    connection: &'c Connection,
    survey: Survey,
    customers: HashMap<i64, Prefixes>,
    /// The prefix that is read, after those that it is within.
    groups: Vec<Group>,
}

/// Examines the sessions that overlap a time.
pub(super) fn of(connection: &Connection, first: i64, last: i64) -> rusqlite::Result<Survey> {
    let mut sweep = Sweep {
        connection,
        survey: Survey {
            from: Some(row::time(first, 0)?),
            until: Some(row::time(last, 0)?),
            ..Survey::default()
        },
        customers: HashMap::new(),
        groups: Vec::new(),
    };
    let mut statement = connection.prepare(
        "SELECT address, length, start, seen, is_ended, customer FROM sessions
         WHERE start <= ? AND seen >= ? ORDER BY family, address, length, start",
    )?;
    let mut rows = statement.query(params![last, first])?;
    while let Some(row) = rows.next()? {
        let span = row::span(row, 2)?;
        sweep.survey.open += usize::from(!span.is_ended);
        sweep.session(row::prefix(row, 0, 1)?, span.start, span.seen, row.get(5)?)?;
    }
    let mut survey = sweep.survey;
    survey.customers = sweep.customers.len();
    let several = sweep.customers.values();
    survey.with_several_prefixes = several
        .filter(|prefixes| matches!(prefixes, Prefixes::Several))
        .count();
    Ok(survey)
}

impl Sweep<'_> {
    /// Takes the next session in the order of prefixes and starts.
    fn session(&mut self, prefix: IpNet, start: i64, seen: i64, customer: i64) -> rusqlite::Result<()> {
        self.survey.sessions += 1;
        self.groups.retain(|group| group.prefix.contains(&prefix));
        if self.groups.last().is_none_or(|group| group.prefix != prefix) {
            self.survey.prefixes += 1;
            self.groups.push(Group {
                prefix,
                entries: Vec::new(),
            });
        }
        let number = self.survey.prefixes;
        self.customers
            .entry(customer)
            .and_modify(|prefixes| {
                if !matches!(prefixes, Prefixes::One(one) if *one == number) {
                    *prefixes = Prefixes::Several;
                }
            })
            .or_insert(Prefixes::One(number));
        self.overlap(prefix, start, seen, customer)?;
        let Some(group) = self.groups.last_mut() else {
            return Ok(());
        };
        let before = timeline::greatest_seen(&group.entries);
        group
            .entries
            .push(Entry::after(&group.entries, start, seen, customer));
        match before {
            Some(before) if start.saturating_sub(before) > SKEW_SECONDS => self.gap(prefix, before, start),
            _ => Ok(()),
        }
    }

    /// Compares a session with those before it of its prefix and of the prefixes that this is within.
    fn overlap(&mut self, prefix: IpNet, start: i64, seen: i64, customer: i64) -> rusqlite::Result<()> {
        let mut longest: Option<(i64, i64, i64)> = None;
        for group in &self.groups {
            for other in timeline::overlapping(&group.entries, start, seen) {
                let (from, until) = (start.max(other.start), seen.min(other.seen));
                let is_longest = longest
                    .is_none_or(|(from_before, until_before, _)| until - from > until_before - from_before);
                if other.customer != customer && until > from && is_longest {
                    longest = Some((from, until, other.customer));
                }
            }
        }
        let Some((from, until, other)) = longest else {
            return Ok(());
        };
        if until - from <= SKEW_SECONDS {
            self.survey.short_overlaps += 1;
            return Ok(());
        }
        self.survey.overlaps += 1;
        if self.survey.first_overlaps.len() < LISTED {
            self.survey.first_overlaps.push(Overlap {
                prefix,
                customers: [self.name(other)?, self.name(customer)?],
                from: row::time(from, 0)?,
                until: row::time(until, 0)?,
            });
        }
        Ok(())
    }

    fn gap(&mut self, prefix: IpNet, from: i64, until: i64) -> rusqlite::Result<()> {
        self.survey.gaps += 1;
        let gap = Gap {
            prefix,
            from: row::time(from, 0)?,
            until: row::time(until, 0)?,
        };
        let length = |gap: &Gap| gap.until.duration_since(gap.from);
        if self
            .survey
            .longest_gap
            .is_none_or(|longest| length(&gap) > length(&longest))
        {
            self.survey.longest_gap = Some(gap);
        }
        Ok(())
    }

    fn name(&self, customer: i64) -> rusqlite::Result<String> {
        self.connection
            .prepare_cached("SELECT name FROM customers WHERE id = ?")?
            .query_row([customer], |row| row.get(0))
    }
}
