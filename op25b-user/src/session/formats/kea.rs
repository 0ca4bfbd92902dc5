//! Reads the lease file of Kea (memfile): each change of a lease is a row that is appended.
//!
//! A row has the end of the lease and its length, and so the time at which the client asked last. A lease lasts from the first such
//! time of its client to its end, or to what ended it before: the next client, or a row that says that it was given up. The file
//! is complete up to its newest row: a lease that had not ended by then is known until then.
//!
//! A row of length 0 removes a lease, and does not say when that was: not before any row that precedes it. The lease is known until
//! then.

use std::{
    collections::HashMap,
    io::{self, BufRead},
};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{LeftOut, Options, Outcome, Take, lines::Lines, texts};
use crate::session::Session;

/// What a comma within a cell is written as.
const COMMA: &str = "&#x2c";

/// The states of a lease: it is a client's, or it is over; addresses that a client declined, or registered itself, are nobody's.
const ASSIGNED: &str = "0";
const DECLINED: &str = "1";
const EXPIRED: &str = "2";

/// Reads a log.
pub(super) fn read(
    log: &mut dyn BufRead,
    options: &Options,
    outcome: &mut Outcome,
    take: Take<'_>,
) -> io::Result<()> {
    let mut lines = Lines::new(log);
    let mut columns = None;
    let mut leases = Leases::default();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            continue;
        }
        // A file that others were appended to has their headers, too.
        if line.starts_with("address,") {
            match Columns::read(&line, options) {
                Ok(read) => columns = Some(read),
                Err(wrong) => {
                    outcome.mistakes.add(lines.number, || wrong);
                    return Ok(());
                }
            }
            continue;
        }
        let Some(columns) = &columns else {
            outcome.mistakes.add(lines.number, || {
                "this is no lease file of Kea: it does not begin with the line `address,…`".to_owned()
            });
            return Ok(());
        };
        outcome.records += 1;
        match columns.row(&line) {
            Ok(row) if row.state == ASSIGNED && row.customer.is_empty() => {
                outcome.leave_out(LeftOut::NoCustomer, lines.number);
                // It is somebody's, all the same.
                leases.note(
                    Row {
                        state: DECLINED,
                        ..row
                    },
                    take,
                )?;
            }
            Ok(row) => leases.note(row, take)?,
            Err(wrong) => outcome.mistakes.add(lines.number, || wrong),
        }
    }
    if columns.is_none() {
        outcome.mistakes.add(0, || "the file is empty".to_owned());
    }
    leases.end(take)
}

/// Where a file has its columns.
struct Columns {
    address: usize,
    /// Of a delegated prefix; in files of DHCPv6.
    length: Option<usize>,
    customer: usize,
    valid_lifetime: usize,
    expire: usize,
    state: Option<usize>,
}

/// A row.
struct Row<'l> {
    prefix: IpNet,
    customer: String,
    /// How long the lease lasts from the last request of the client on.
    valid_lifetime: i64,
    expire: i64,
    state: &'l str,
}

impl Columns {
    fn read(header: &str, options: &Options) -> Result<Self, String> {
        let names: Vec<&str> = header.split(',').collect();
        let place = |name: &str| names.iter().position(|one| *one == name);
        let required = |name: &str| {
            place(name)
                .ok_or_else(|| format!("the lease file has no column `{name}`; its columns are {header}"))
        };
        let is_v6 = place("duid").is_some();
        let customer = match options.name_of("customer") {
            Some(name) => name,
            None if is_v6 => "duid",
            None => "hwaddr",
        };
        Ok(Self {
            address: required("address")?,
            length: place("prefix_len"),
            customer: required(customer)?,
            valid_lifetime: required("valid_lifetime")?,
            expire: required("expire")?,
            state: place("state"),
        })
    }

    fn row<'l>(&self, line: &'l str) -> Result<Row<'l>, String> {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |place: usize| {
            cells
                .get(place)
                .copied()
                .ok_or_else(|| format!("the row has only {} columns", cells.len()))
        };
        let number = |name: &str, place: usize| {
            let text = cell(place)?;
            text.parse::<i64>()
                .map_err(|_| format!("{name}: `{text}` is not a number"))
        };
        let address = cell(self.address)?;
        let prefix = match self.length.map(cell).transpose()? {
            Some(length) if !length.is_empty() => texts::prefix(&format!("{address}/{length}")),
            _ => texts::prefix(address),
        }?;
        let customer = cell(self.customer)?.replace(COMMA, ",");
        let customer = match customer.as_str() {
            "" => String::new(),
            customer => texts::customer(customer)?,
        };
        Ok(Row {
            prefix,
            customer,
            valid_lifetime: number("valid_lifetime", self.valid_lifetime)?,
            expire: number("expire", self.expire)?,
            state: self.state.map_or(Ok(ASSIGNED), cell)?,
        })
    }
}

/// The leases that have not ended yet.
#[derive(Default)]
struct Leases {
    leases: HashMap<IpNet, Lease>,
    /// The newest time of which a row tells, of all so far.
    newest: i64,
}

/// A lease as of its last row.
struct Lease {
    customer: String,
    start: i64,
    /// When its client asked last.
    asked: i64,
    expire: i64,
}

impl Leases {
    fn note(&mut self, row: Row<'_>, take: Take<'_>) -> io::Result<()> {
        // An endless lease has the greatest number of 32 bits.
        let asked = row.expire.saturating_sub(row.valid_lifetime);
        let newest_before = self.newest;
        // An expiry is written when it has come.
        let written = if row.state == EXPIRED { row.expire } else { asked };
        self.newest = self.newest.max(written);
        let is_assigned = row.state == ASSIGNED && row.valid_lifetime > 0;
        if let Some(mut lease) = self.leases.remove(&row.prefix) {
            if is_assigned && lease.customer == row.customer && asked <= lease.expire {
                lease.asked = lease.asked.max(asked);
                lease.expire = row.expire;
                self.leases.insert(row.prefix, lease);
                return Ok(());
            }
            let over = lease.over(&row, asked, newest_before);
            take(ended(&lease, row.prefix, over)?)?;
        }
        if is_assigned {
            let lease = Lease {
                customer: row.customer,
                start: asked,
                asked,
                expire: row.expire,
            };
            self.leases.insert(row.prefix, lease);
        }
        Ok(())
    }

    /// The leases that had not ended when the file did, or had expired since.
    fn end(self, take: Take<'_>) -> io::Result<()> {
        for (prefix, lease) in self.leases {
            if lease.expire <= self.newest {
                take(ended(&lease, prefix, lease.expire)?)?;
            } else {
                let seen = time(self.newest.max(lease.asked))?;
                take(Session::open(lease.customer, prefix, time(lease.start)?, seen))?;
            }
        }
        Ok(())
    }
}

impl Lease {
    /// When the lease was over, which a row says that is about another one, or about its end. The newest time of which the rows before
    /// tell is `newest_before`.
    fn over(&mut self, row: &Row<'_>, asked: i64, newest_before: i64) -> i64 {
        let is_assigned = row.state == ASSIGNED && row.valid_lifetime > 0;
        // A row of an expiry lacks some columns, such as the name of the host.
        let is_other = !row.customer.is_empty() && row.customer != self.customer;
        if is_assigned || is_other || row.state == DECLINED {
            // Another client has it now, or nobody: it had ended by then, and if no row said so, it is not known when.
            if asked >= self.expire {
                self.expire
            } else {
                self.asked
            }
        } else if row.valid_lifetime > 0 {
            // It expired, after the client had asked once more.
            self.expire = self.expire.max(row.expire);
            row.expire
        } else if asked > self.asked {
            // The client gave it up, and the row says when.
            asked
        } else {
            newest_before
        }
    }
}

/// A lease that had ended at a time, and lasted no longer than it could.
fn ended(lease: &Lease, prefix: IpNet, over: i64) -> io::Result<Session> {
    let over = over.min(lease.expire).max(lease.start);
    Ok(Session::ended(
        &*lease.customer,
        prefix,
        time(lease.start)?,
        time(over)?,
    ))
}

fn time(second: i64) -> io::Result<Timestamp> {
    Timestamp::from_second(second).map_err(|_| io::Error::other(format!("{second} is no time of a lease")))
}
