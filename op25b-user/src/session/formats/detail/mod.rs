//! Reads accounting records as the module `detail` of FreeRADIUS writes them: sessions begin, go on and end in records of their
//! own.
//!
//! A session is from its Start, or as long before a later record as that says (Acct-Session-Time), until its Stop; without one it
//! is known until its last record. An address that a session got after its Start is its own from the first record with it on.
//! Whose accounting began anew (Accounting-On, Accounting-Off) has lost its sessions: they are known until their last record, too.

mod record;
mod time;

use std::{
    collections::HashMap,
    io::{self, BufRead},
};

use ipnet::IpNet;
use jiff::Timestamp;

use self::record::{Record, Status};
use super::{LeftOut, Options, Outcome, Take, lines::Lines};
use crate::session::Session;

/// Reads a log.
pub(super) fn read(
    log: &mut dyn BufRead,
    options: &Options,
    outcome: &mut Outcome,
    take: Take<'_>,
) -> io::Result<()> {
    let mut lines = Lines::new(log);
    let mut open = Open::default();
    while let Some(record) = record::next(&mut lines)? {
        outcome.records += 1;
        match record.read(options) {
            Ok(record) => open.note(record, outcome, take)?,
            Err(wrong) => outcome.mistakes.add(record.line, || wrong),
        }
    }
    if outcome.records == 0 && lines.number > 0 {
        outcome.mistakes.add(1, || {
            "this is no detail file of FreeRADIUS: there is no record in it".to_owned()
        });
    }
    open.end(|_| true, take)
}

/// The sessions that have no Stop yet.
#[derive(Default)]
struct Open(HashMap<Key, State>);

/// What distinguishes a session from all others.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The device that does the accounting, by its address or its name.
    nas: String,
    id: String,
    customer: String,
}

/// What is known of a session.
struct State {
    start: Timestamp,
    prefixes: Vec<Known>,
}

/// A prefix of a session.
struct Known {
    prefix: IpNet,
    start: Timestamp,
    /// When the last record with it was made.
    seen: Timestamp,
}

impl Open {
    fn note(&mut self, record: Record, outcome: &mut Outcome, take: Take<'_>) -> io::Result<()> {
        let Record {
            line,
            status,
            nas,
            id,
            customer,
            prefixes,
            at,
            began,
        } = record;
        match status {
            Status::Start | Status::Interim | Status::Stop => {}
            Status::Restart => return self.end(|key| key.nas == nas, take),
            Status::Other => {
                outcome.leave_out(LeftOut::OtherKind, line);
                return Ok(());
            }
        }
        let Some(customer) = customer else {
            outcome.leave_out(LeftOut::NoCustomer, line);
            return Ok(());
        };
        if prefixes.is_empty() {
            outcome.leave_out(LeftOut::NoAddress, line);
        }
        let is_stop = status == Status::Stop;
        let key = Key { nas, id, customer };
        let before = self.0.remove(&key);
        let is_known = before.is_some();
        // A Stop that says nothing of its session's beginning.
        if is_stop && !is_known && began.is_none() {
            if !prefixes.is_empty() {
                outcome.leave_out(LeftOut::NoBeginning, line);
            }
            return Ok(());
        }
        let mut state = before.unwrap_or_else(|| State {
            start: began.unwrap_or(at),
            prefixes: Vec::new(),
        });
        state.note(&prefixes, at, is_known);
        if !is_stop {
            self.0.insert(key, state);
            return Ok(());
        }
        for known in state.prefixes {
            let Known { prefix, start, seen } = known;
            // One that the Stop does not have was given up at some time after it was seen.
            let session = if prefixes.contains(&prefix) {
                Session::ended(&*key.customer, prefix, start, at.max(start))
            } else {
                Session::open(&*key.customer, prefix, start, seen)
            };
            take(session)?;
        }
        Ok(())
    }

    /// Ends sessions of which no Stop will come: they are known until their last record.
    fn end(&mut self, which: impl Fn(&Key) -> bool, take: Take<'_>) -> io::Result<()> {
        for (key, state) in self.0.extract_if(|key, _| which(key)) {
            for Known { prefix, start, seen } in state.prefixes {
                take(Session::open(&*key.customer, prefix, start, seen))?;
            }
        }
        Ok(())
    }
}

impl State {
    /// Notes a record; `is_known` if it is not the first of the session.
    fn note(&mut self, prefixes: &[IpNet], at: Timestamp, is_known: bool) {
        for prefix in prefixes {
            match self.prefixes.iter_mut().find(|known| known.prefix == *prefix) {
                Some(known) => {
                    // Records may come in another order than they were made.
                    known.start = known.start.min(at);
                    known.seen = known.seen.max(at);
                }
                None => self.prefixes.push(Known {
                    prefix: *prefix,
                    start: if is_known { at } else { self.start.min(at) },
                    seen: at,
                }),
            }
        }
    }
}
