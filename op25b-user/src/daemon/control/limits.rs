//! How much and how long the control socket bears of its clients, so that none of them is in the others' way.

use std::time::Duration;

/// Connections at a time. One more takes the place of the one that has waited longest for its client.
pub(super) const CONNECTIONS: usize = 256;
/// How long a connection may take for the headers of a request, from the end of the one before.
pub(super) const HEADERS_TIME: Duration = Duration::from_secs(10);
/// How many headers a request may have.
pub(super) const HEADERS: usize = 64;
/// How long the first line and the headers of a request may be, in bytes.
pub(super) const HEADERS_SIZE: usize = 32 * 1024;

/// How large a body may be, in bytes.
pub(super) const BODY: usize = 64 * 1024;
/// How long a body may take.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
/// How large the body of an import may be, in bytes.
pub(super) const IMPORT: usize = 64 * 1024 * 1024;
/// How long the body of an import may take.
pub(super) const IMPORT_TIME: Duration = Duration::from_mins(1);
/// The most rows of an import that are said to be wrong.
pub(super) const ROWS_SAID: usize = 100;

/// More than so many requests at once wait for their turn at the socket.
pub(super) const QUEUE: usize = 16;
/// How long they wait for it, be it for the daemon, for a reader of the store or for an import before.
pub(super) const TURN: Duration = Duration::from_secs(15);
/// How long the daemon may take to do what it is asked for: loading a large policy takes a while.
pub(super) const ANSWER: Duration = Duration::from_mins(2);

/// How many read the store at a time.
pub(super) const READERS: usize = 2;
/// How long the system may take to tell a user's name: it may have to ask a directory service.
pub(super) const NAME_TIME: Duration = Duration::from_secs(2);

/// How many threads this socket keeps busy at most: with reading the store, reading one import and looking up one name.
pub(in crate::daemon) const THREADS: usize = READERS + 2;
