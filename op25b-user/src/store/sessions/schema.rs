//! The tables of the sessions.

use crate::store::{
    database::Database,
    sqlite::{disposable::Disposable, formats::Formats},
};

/// The database.
pub(super) const SESSIONS: Disposable = Disposable {
    database: Database::Sessions,
    formats: Formats {
        application: u32::from_be_bytes(*b"OP2s"),
        each: &[FIRST],
    },
};

/// Addresses are in network byte order, so that a prefix is a range of them; times are seconds since 1970.
const FIRST: &str = "
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE sessions (
        family INTEGER NOT NULL,
        address BLOB NOT NULL,
        length INTEGER NOT NULL,
        start INTEGER NOT NULL,
        customer INTEGER NOT NULL REFERENCES customers (id),
        -- The last second in which it is known to have lasted, and whether it ended then.
        seen INTEGER NOT NULL,
        is_ended INTEGER NOT NULL,
        PRIMARY KEY (family, address, length, start, customer)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_customer ON sessions (customer, family, address, length, start);
";
