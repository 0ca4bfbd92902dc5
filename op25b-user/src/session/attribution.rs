//! Whose the activity of a subscriber was: sessions in memory, searched by prefix and time.

use std::{collections::HashMap, ops::Range};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{
    Session,
    timeline::{self, Entry},
};

/// Whose activity it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribution<'a> {
    /// This customer's: nobody else had the address at that time, nor as much before or after as clocks may differ.
    Customer(&'a str),
    /// That of one of these customers, by name; or of somebody else, if sessions cover that time or prefix only in part. A single
    /// customer is here in that case.
    Ambiguous(Vec<&'a str>),
    /// Nobody's who is known: there is no session at that time.
    Unattributed,
}

/// Sessions, by prefix and time.
#[derive(Clone, Debug, Default)]
pub struct SessionIndex {
    customers: Vec<Box<str>>,
    /// In the order of [`IpNet`]: a prefix is followed by those within it.
    prefixes: Vec<Prefix>,
    /// Those of one prefix by start.
    entries: Vec<Entry<u32>>,
    /// Which lengths of prefixes occur, a bit for each; of IPv4 and of IPv6.
    lengths: [Lengths; 2],
}

/// The sessions of one prefix.
#[derive(Clone, Debug)]
struct Prefix {
    prefix: IpNet,
    entries: Range<usize>,
}

/// A set of lengths of prefixes.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths([u64; 3]);

impl Lengths {
    fn insert(&mut self, length: u8) {
        self.0[usize::from(length / 64)] |= 1 << (length % 64);
    }

    /// Those up to a length.
    fn up_to(self, most: u8) -> impl Iterator<Item = u8> {
        (0..=most).filter(move |length| self.0[usize::from(length / 64)] & (1 << (length % 64)) != 0)
    }
}

/// A part of a session that overlaps the time that is searched.
struct Found {
    start: i64,
    seen: i64,
    customer: u32,
    /// Whether it is of the whole subscriber.
    is_whole: bool,
}

/// A session before it has its place in the index.
struct Unsorted {
    prefix: IpNet,
    start: i64,
    seen: i64,
    customer: u32,
}

/// Collects sessions for an index.
#[derive(Default)]
pub struct IndexBuilder {
    customers: HashMap<Box<str>, u32>,
    sessions: Vec<Unsorted>,
}

impl IndexBuilder {
    /// Adds a session.
    pub fn add(&mut self, session: &Session) {
        let span = session.span();
        // There are no 2^32 customers: their names would not fit into memory.
        let next = u32::try_from(self.customers.len()).unwrap_or(u32::MAX);
        let customer = match self.customers.get(session.customer.as_str()) {
            Some(customer) => *customer,
            None => *self
                .customers
                .entry(session.customer.as_str().into())
                .or_insert(next),
        };
        self.sessions.push(Unsorted {
            prefix: session.prefix.trunc(),
            start: span.start,
            seen: span.seen,
            customer,
        });
    }

    /// The index of what was added.
    #[must_use]
    pub fn finish(self) -> SessionIndex {
        let Self {
            customers: numbers,
            mut sessions,
        } = self;
        sessions.sort_unstable_by_key(|session| (session.prefix, session.start, session.seen));
        let mut customers = vec![Box::default(); numbers.len()];
        for (name, number) in numbers {
            customers[number as usize] = name;
        }
        let mut index = SessionIndex {
            customers,
            entries: Vec::with_capacity(sessions.len()),
            ..SessionIndex::default()
        };
        for session in sessions {
            index.push(&session);
        }
        index
    }
}

impl FromIterator<Session> for SessionIndex {
    fn from_iter<I: IntoIterator<Item = Session>>(sessions: I) -> Self {
        let mut builder = IndexBuilder::default();
        for session in sessions {
            builder.add(&session);
        }
        builder.finish()
    }
}

impl SessionIndex {
    /// Whose the activity of a subscriber was from the second `first` to the second `last`, if the clocks of the log and of the
    /// router are at most `skew` apart.
    ///
    /// It is a customer's if no session of another one overlaps that time, with `skew` added at both ends, and sessions of the
    /// customer cover it, with `skew` added at both ends of each. So it is never another customer's, if the log has all sessions.
    #[must_use]
    pub fn of(
        &self,
        subscriber: IpNet,
        first: Timestamp,
        last: Timestamp,
        skew: SignedDuration,
    ) -> Attribution<'_> {
        let (first, last) = (first.as_second(), last.as_second());
        let skew = skew.as_secs().max(0);
        let mut found = self.overlapping(
            subscriber.trunc(),
            first.saturating_sub(skew),
            last.saturating_add(skew),
        );
        let Some(&Found { customer, .. }) = found.first() else {
            return Attribution::Unattributed;
        };
        if found.iter().all(|found| found.customer == customer) {
            found.retain(|found| found.is_whole);
            found.sort_unstable_by_key(|found| found.start);
            if cover(&found, first, last, skew) {
                return Attribution::Customer(&self.customers[customer as usize]);
            }
            return Attribution::Ambiguous(vec![&self.customers[customer as usize]]);
        }
        let names = found
            .iter()
            .map(|found| &*self.customers[found.customer as usize]);
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        Attribution::Ambiguous(names)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a session; they come sorted.
    fn push(&mut self, session: &Unsorted) {
        let Unsorted {
            prefix,
            start,
            seen,
            customer,
        } = *session;
        let place = self.entries.len();
        if self.prefixes.last().is_none_or(|last| last.prefix != prefix) {
            self.lengths[family(prefix)].insert(prefix.prefix_len());
            self.prefixes.push(Prefix {
                prefix,
                entries: place..place,
            });
        }
        if let Some(last) = self.prefixes.last_mut() {
            let entry = Entry::after(&self.entries[last.entries.clone()], start, seen, customer);
            self.entries.push(entry);
            last.entries.end = place + 1;
        }
    }

    /// The sessions that overlap a subscriber and a time.
    fn overlapping(&self, subscriber: IpNet, first: i64, last: i64) -> Vec<Found> {
        let mut found = Vec::new();
        for length in self.lengths[family(subscriber)].up_to(subscriber.prefix_len()) {
            let Ok(prefix) = IpNet::new(subscriber.addr(), length) else {
                continue;
            };
            let prefix = prefix.trunc();
            if let Ok(place) = self.prefixes.binary_search_by_key(&prefix, |one| one.prefix) {
                self.add_overlapping(&self.prefixes[place], first, last, true, &mut found);
            }
        }
        // Sessions of parts of the subscriber, such as single addresses of a prefix of IPv6.
        let begin = self.prefixes.partition_point(|one| one.prefix <= subscriber);
        let parts = self.prefixes[begin..].iter();
        for part in parts.take_while(|part| subscriber.contains(&part.prefix)) {
            self.add_overlapping(part, first, last, false, &mut found);
        }
        found
    }

    fn add_overlapping(&self, prefix: &Prefix, first: i64, last: i64, is_whole: bool, to: &mut Vec<Found>) {
        let entries = &self.entries[prefix.entries.clone()];
        to.extend(timeline::overlapping(entries, first, last).map(|entry| Found {
            start: entry.start,
            seen: entry.seen,
            customer: entry.customer,
            is_whole,
        }));
    }
}

/// Whether sessions, by their start, cover a time without a gap, each longer by `skew` at both ends.
fn cover(sessions: &[Found], first: i64, last: i64, skew: i64) -> bool {
    let mut covered = None;
    for session in sessions {
        let start = session.start.saturating_sub(skew);
        if start > covered.unwrap_or(first) {
            break;
        }
        covered = covered.max(Some(session.seen.saturating_add(skew)));
    }
    covered.is_some_and(|covered| covered >= last)
}

fn family(prefix: IpNet) -> usize {
    match prefix {
        IpNet::V4(_) => 0,
        IpNet::V6(_) => 1,
    }
}
