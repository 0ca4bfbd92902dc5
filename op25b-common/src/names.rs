//! Names under which user space finds the program, its maps and its load-time globals.
//!
//! The kernel keeps 15 characters of a name, so these are no longer than that.

/// The program for subscriber interfaces.
pub const SUBSCRIBER_PROGRAM: &str = "op25b_subscribe";

/// Trie of [`crate::values::PoolEntry`] by IPv4 source.
pub const POOLS_V4: &str = "POOLS_V4";
/// Trie of [`crate::values::PoolEntry`] by IPv6 source.
pub const POOLS_V6: &str = "POOLS_V6";
/// Trie of [`crate::values::RelayEntry`] by IPv4 destination.
pub const RELAYS_V4: &str = "RELAYS_V4";
/// Trie of [`crate::values::RelayEntry`] by IPv6 destination.
pub const RELAYS_V6: &str = "RELAYS_V6";
/// Trie of [`crate::values::ExemptionEntry`] by IPv4 source.
pub const EXEMPTIONS_V4: &str = "EXEMPTIONS_V4";
/// Trie of [`crate::values::ExemptionEntry`] by IPv6 source.
pub const EXEMPTIONS_V6: &str = "EXEMPTIONS_V6";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv4 destination.
pub const DESTINATIONS_V4: &str = "DESTINATIONS_V4";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv6 destination.
pub const DESTINATIONS_V6: &str = "DESTINATIONS_V6";
/// Per-CPU packets by [`crate::Reason`].
pub const COUNTERS: &str = "COUNTERS";
/// One i64: nanoseconds to add to the boot-time clock to get the Unix time.
pub const CLOCK: &str = "CLOCK";
/// Array of [`crate::values::DescriptionChunk`]: the loaded policy described in JSON, for whoever asks the
/// kernel later.
pub const DESCRIPTION: &str = "DESCRIPTION";
/// One [`crate::values::Decision`], written only with [`TRACE`] set.
pub const DECISION: &str = "DECISION";

/// Global `[u16; MAX_BLOCKED_PORTS]`: the blocked destination ports.
pub const BLOCKED_PORTS: &str = "BLOCKED_PORTS";
/// Global u32: how many of [`BLOCKED_PORTS`] are meant.
pub const BLOCKED_PORT_COUNT: &str = "BLOCKED_PORT_COUNT";
/// Global u8: 1 drops what cannot be inspected from a pool, 0 passes it.
pub const DROP_UNINSPECTABLE: &str = "DROP_UNINSPECTABLE";
/// Global u8: 1 drops blocked ports from sources in no pool, 0 passes them.
pub const DROP_UNLISTED: &str = "DROP_UNLISTED";
/// Global u8: 1 writes each decision to [`DECISION`], for `explain` and tests.
pub const TRACE: &str = "TRACE";
/// Global u8 of aya-log: the most verbose level whose log statements exist; 0 removes them all.
pub const LOG_LEVEL: &str = "AYA_LOG_LEVEL";
