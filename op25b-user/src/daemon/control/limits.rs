//! Limits in number, size and time, so that no client of the control socket impedes another.

use std::time::Duration;

/// Simultaneous connections. For one more, the one that has been idle longest is evicted.
pub(super) const CONNECTIONS: usize = 256;
/// How long the headers of a request may take, from the end of the previous one.
pub(super) const HEADERS_TIME: Duration = Duration::from_secs(10);
/// The number of headers of a request.
pub(super) const HEADERS: usize = 64;
/// The size of a request's first line and headers, in bytes.
pub(super) const HEADERS_SIZE: usize = 32 * 1024;

/// The size of a body, in bytes.
pub(super) const BODY: usize = 64 * 1024;
/// How long a body may take.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
/// The size of an import's body, in bytes.
pub(super) const IMPORT: usize = 64 * 1024 * 1024;
/// How long an import's body may take.
pub(super) const IMPORT_TIME: Duration = Duration::from_mins(1);
/// The number of an import's invalid rows that are reported.
pub(super) const ROWS_REPORTED: usize = 100;

/// The size of an import of sessions, in bytes. It is stored as it arrives, so it takes no memory.
pub(super) const SESSIONS: usize = 4 * 1024 * 1024 * 1024;
/// How long it may take to arrive: the disk determines that.
pub(super) const SESSIONS_TIME: Duration = Duration::from_mins(30);

/// The number of requests in the daemon's queue. Further ones wait until there is room.
pub(super) const QUEUE: usize = 16;
/// How long a request waits for its turn: in the daemon's queue, at the store or after another import.
pub(super) const TURN: Duration = Duration::from_secs(15);
/// How long the daemon may take for a request: loading a large policy takes seconds.
pub(super) const ANSWER: Duration = Duration::from_mins(2);

/// How long reading the filter's status in the kernel may take: a client waits for the rest of the status.
pub(super) const STATUS: Duration = Duration::from_secs(1);
/// The most subscribers of an answer.
pub(super) const SUBSCRIBERS: u32 = 10_000;

/// Simultaneous clients that wait for events of packets or for alerts.
pub(super) const WAITING: usize = 32;
/// How long one may wait for them. A client gives up an answer after 30 s.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Simultaneous readers of the store, and as many of subscribers.
pub(super) const READERS: usize = 2;
/// How long reading the store for a response may take.
pub(super) const READ_TIME: Duration = Duration::from_secs(10);
/// The same for what an answer can do without.
pub(super) const BRIEF_TIME: Duration = Duration::from_secs(2);
/// How long looking up a user's name may take: the system may query a directory service.
pub(super) const NAME_TIME: Duration = Duration::from_secs(2);

/// The most threads that the socket occupies: readers of the store and as many of the kernel, one import, and one look-up of a name.
pub(in crate::daemon) const THREADS: usize = 2 * READERS + 2;
