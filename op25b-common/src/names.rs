//! Names under which user space finds the program, its maps and its load-time globals.
//!
//! The kernel keeps 15 characters of a name, so these are no longer than that.

/// The program for subscriber interfaces.
pub const SUBSCRIBER_PROGRAM: &str = "op25b_subscribe";
/// The program for uplink interfaces.
pub const UPLINK_PROGRAM: &str = "op25b_uplink";

/// The roots of the tables, see [`crate::classifier`]: an array of [`crate::classifier::ROOT_ENTRIES`] words for each of
/// [`crate::root`].
pub const ROOTS: &str = "ROOTS";
/// The tables' pages: an array of [`crate::classifier::PAGE_ENTRIES`] words each.
pub const PAGES: &str = "PAGES";
/// The tables' [`crate::classifier::Sparse`] nodes.
pub const SPARSE: &str = "SPARSE";
/// The tables' [`crate::classifier::Path`]s.
pub const PATHS: &str = "PATHS";
/// The [`crate::values::Class`]es by number.
pub const CLASSES: &str = "CLASSES";
/// [`crate::values::SubscriberBlock`]s with a record for each address of the IPv4 pools, see
/// [`crate::values::Class::subscribers`].
pub const SUBSCRIBERS_V4: &str = "SUBSCRIBERS_V4";
/// [`crate::values::Subscriber`]s by the first 64 bits of their address, as a number: the most recent ones.
pub const SUBSCRIBERS_V6: &str = "SUBSCRIBERS_V6";
/// Per-CPU packets that found no record in [`SUBSCRIBERS_V6`]: those that began one, and those that could not.
pub const MISSES_V6: &str = "MISSES_V6";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv4 destination.
pub const DESTINATIONS_V4: &str = "DESTINATIONS_V4";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv6 destination.
pub const DESTINATIONS_V6: &str = "DESTINATIONS_V6";
/// Hash of [`crate::tunnel`] kinds by the index of a subscriber interface: what is looked into there.
pub const TUNNELS_BY_IF: &str = "TUNNELS_BY_IF";
/// One per-CPU u64: when the next answer of `action: prohibit` is due, as a boot-time clock.
pub const ANSWERS: &str = "ANSWERS";
/// Per-CPU packets by [`crate::Reason`]: subscriber interfaces' first, then uplink interfaces'; see
/// [`crate::values::COUNTER_SLOTS`].
pub const COUNTERS: &str = "COUNTERS";
/// One i64: nanoseconds to add to the boot-time clock to get the Unix time.
pub const CLOCK: &str = "CLOCK";
/// One per-CPU [`crate::values::Moment`].
pub const MOMENT: &str = "MOMENT";
/// Array of [`crate::values::DescriptionChunk`]: the loaded policy described in JSON, for whoever asks the
/// kernel later.
pub const DESCRIPTION: &str = "DESCRIPTION";
/// One [`crate::values::Decision`], written only with [`TRACE`] set.
pub const DECISION: &str = "DECISION";

/// Global `[u16; MAX_BLOCKED_PORTS]`: the blocked destination ports, the first one again where there are fewer.
pub const BLOCKED_PORTS: &str = "BLOCKED_PORTS";
/// Global u32: how many of [`BLOCKED_PORTS`] are meant.
pub const BLOCKED_PORT_COUNT: &str = "BLOCKED_PORT_COUNT";
/// Global u8: 1 drops what cannot be inspected from a pool, 0 passes it.
pub const DROP_UNINSPECTABLE: &str = "DROP_UNINSPECTABLE";
/// Global u8: 1 drops blocked ports from sources in no pool, 0 passes them.
pub const DROP_UNLISTED: &str = "DROP_UNLISTED";
/// Global [`crate::values::UnixSeconds`]: from when on any pool is enforced, as in
/// [`crate::values::Class::enforce_from`].
pub const ENFORCED_FROM: &str = "ENFORCED_FROM";
/// Global u8: 1 blocks only segments that open a connection (`match: new`).
pub const MATCH_NEW: &str = "MATCH_NEW";
/// Global u8: one of [`crate::action`], what happens to a blocked segment.
pub const ACTION: &str = "ACTION";
/// Global u8: 1 blocks connections from the Internet to subscribers' blocked ports (`inbound: block`).
pub const BLOCK_INBOUND: &str = "BLOCK_INBOUND";
/// Global u32: how many bits of an IPv6 address are its subscriber's, 1 to 64.
pub const SUBSCRIBER_BITS: &str = "SUBSCRIBER_BITS";
/// Global u8: the kinds of [`crate::tunnel`] that any interface looks into; 0 removes the code for them.
pub const TUNNELS: &str = "TUNNELS";
/// Global [`crate::keys::AddressV4`]: where `action: prohibit` answers from; all zero for none.
pub const ROUTER_V4: &str = "ROUTER_V4";
/// Global [`crate::keys::AddressV6`]: where `action: prohibit` answers from; all zero for none.
pub const ROUTER_V6: &str = "ROUTER_V6";
/// Global u64: nanoseconds between two answers of `action: prohibit` on one CPU, in the long run.
pub const ANSWER_INTERVAL: &str = "ANSWER_INTERVAL";
/// Global u64: nanoseconds' worth of such answers that may come at once.
pub const ANSWER_BURST: &str = "ANSWER_BURST";
/// Global u8: 1 writes each decision to [`DECISION`], for `explain` and tests.
pub const TRACE: &str = "TRACE";
/// Global u8 of aya-log: the most verbose level whose log statements exist; 0 removes them all.
pub const LOG_LEVEL: &str = "AYA_LOG_LEVEL";
