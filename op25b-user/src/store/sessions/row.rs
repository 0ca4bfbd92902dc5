//! Converts sessions to rows, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Row, types::Type};

use crate::session::{Session, Span};

/// The columns that [`session`] reads, in its order.
pub(super) const COLUMNS: &str = "address, length, start, seen, is_ended, name";

/// A prefix as it is in a row.
pub(super) struct Key {
    pub(super) family: u8,
    address: [u8; 16],
    octets: usize,
    pub(super) length: u8,
}

impl Key {
    pub(super) fn of(prefix: IpNet) -> Self {
        Self::of_address(prefix.network(), prefix.prefix_len())
    }

    /// The last address of a prefix.
    pub(super) fn last_of(prefix: IpNet) -> Self {
        Self::of_address(prefix.broadcast(), prefix.prefix_len())
    }

    fn of_address(address: IpAddr, length: u8) -> Self {
        let mut octets = [0; 16];
        let (family, count) = match address {
            IpAddr::V4(address) => {
                octets[..4].copy_from_slice(&address.octets());
                (4, 4)
            }
            IpAddr::V6(address) => {
                octets = address.octets();
                (6, 16)
            }
        };
        Self {
            family,
            address: octets,
            octets: count,
            length,
        }
    }

    pub(super) fn address(&self) -> &[u8] {
        &self.address[..self.octets]
    }
}

/// A session from its row.
pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let prefix = prefix(row, 0, 1)?;
    let Span {
        start,
        seen,
        is_ended,
    } = span(row, 2)?;
    let seen = time(seen, 3)?;
    Ok(Session {
        customer: row.get(5)?,
        prefix,
        start: time(start, 2)?,
        end: is_ended.then_some(seen),
        seen,
    })
}

/// The prefix of a row, from the columns with its address and its length.
pub(super) fn prefix(row: &Row<'_>, address: usize, length: usize) -> rusqlite::Result<IpNet> {
    let octets = row.get_ref(address)?.as_blob()?;
    let ip: IpAddr = match octets.len() {
        4 => <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into()),
    }
    .map_err(|error| damaged(address, error))?;
    IpNet::new(ip, row.get(length)?).map_err(|error| damaged(length, error))
}

/// The time of a row, from the first of its three columns.
pub(super) fn span(row: &Row<'_>, first: usize) -> rusqlite::Result<Span> {
    Ok(Span {
        start: row.get(first)?,
        seen: row.get(first + 1)?,
        is_ended: row.get(first + 2)?,
    })
}

pub(super) fn time(second: i64, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(second).map_err(|error| damaged(column, error))
}

fn damaged(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, Box::new(error))
}
