//! Names under which user space finds the program, its maps and its load-time globals.
//!
//! The kernel keeps 15 characters of a program's or a map's name, so these are no longer than that. Globals are found by the
//! object's symbols, which have any length.

/// The program for subscriber interfaces.
pub const SUBSCRIBER_PROGRAM: &str = "op25b_subscribe";
/// The program for uplink interfaces.
pub const UPLINK_PROGRAM: &str = "op25b_uplink";

/// The roots of the prefix tables, see [`crate::lpm`]: an array of [`crate::lpm::ROOT_ENTRIES`] words for each
/// [`crate::TableRoot`].
pub const ROOTS: &str = "ROOTS";
/// The tables' full nodes, and the lists of their bitmap nodes: pages of [`crate::lpm::PAGE_ENTRIES`] words.
pub const PAGES: &str = "PAGES";
/// The tables' [`crate::lpm::BitmapNode`]s.
pub const SPARSE: &str = "SPARSE";
/// The tables' [`crate::lpm::CompressedPath`]s.
pub const PATHS: &str = "PATHS";
/// The [`crate::values::Class`]es by number.
pub const CLASSES: &str = "CLASSES";
/// The [`crate::values::Phases`] of pools by number.
pub const PHASES: &str = "PHASES";
/// [`crate::values::SubscriberBlock`]s with a record for each address of the IPv4 pools, and for each subscriber of the IPv6 pools that
/// are not too large; see [`crate::values::Class::subscribers`].
pub const SUBSCRIBERS: &str = "SUBSCRIBERS";
/// [`crate::values::Subscriber`]s of the other IPv6 pools by the first 64 bits of their address, as a number: the most recent ones.
pub const SUBSCRIBERS_LRU: &str = "SUBSCRIBERS_LRU";
/// Per-CPU packets without a record in [`SUBSCRIBERS_LRU`]: those that began one, and those that could not.
pub const MISSES_V6: &str = "MISSES_V6";
/// u32s by exempt subscriber: how many of its segments opened a connection, of the most recent ones, with [`COUNT_EXEMPT`]. The key is
/// an IPv4 address as a number, or the first 64 bits of an IPv6 one: the numbers of 32 bits among those are of no host (`::/32`).
pub const EXEMPT_SYNS: &str = "EXEMPT_SYNS";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv4 destination.
pub const DESTINATIONS_V4: &str = "DESTINATIONS_V4";
/// Trie of [`crate::values::DestinationEntry`] by destination set and IPv6 destination.
pub const DESTINATIONS_V6: &str = "DESTINATIONS_V6";
/// Hash of settings by the index of an interface: [`crate::Tunnel`] bits of the tunnels inside which packets are filtered
/// there, and [`crate::framing::MPLS_HERE`].
pub const TUNNELS_BY_IF: &str = "TUNNELS_BY_IF";
/// One per-CPU u64: when the token bucket of replies is full again, by the boot-time clock.
pub const ANSWERS: &str = "ANSWERS";
/// Per-CPU [`crate::counters::InterfaceSet`]s: packets by the interface that they came in on, its role, reason and verdict.
pub const COUNTERS: &str = "COUNTERS";
/// Per-CPU [`crate::counters::PacketCells`] by slot: packets by the pool of the subscriber's address, reason and verdict. The slot
/// of a pool is in [`SLOT_OF_POOL`]; then follow [`crate::counters::OTHER_POOLS`] and [`crate::counters::NO_POOL`].
pub const POOL_COUNTERS: &str = "POOL_COUNTERS";
/// Per-CPU replies to rejected packets by [`crate::Action`] and [`crate::counters::Answer`].
pub const ANSWER_COUNTS: &str = "ANSWER_COUNTS";
/// Per-CPU hash of [`crate::not_ip::NotIpFrames`] by the index of the interface that they came in on.
pub const NOT_IP: &str = "NOT_IP";
/// One i64: nanoseconds to add to the boot-time clock to get the Unix time.
pub const CLOCK: &str = "CLOCK";
/// One u32: when the current bucket of the history began, as [`crate::values::Hot::last_seen`]; 0 if there is no history.
pub const BUCKET: &str = "BUCKET";
/// One per-CPU [`crate::values::Moment`].
pub const MOMENT: &str = "MOMENT";
/// Array of [`crate::values::DescriptionChunk`]: a description of the loaded policy in JSON, for processes that find the
/// filter later.
pub const DESCRIPTION: &str = "DESCRIPTION";
/// One [`crate::values::Decision`], written only with [`TRACE`] set.
pub const DECISION: &str = "DECISION";
/// Ring buffer of [`crate::event::PacketEvent`]s.
pub const EVENTS: &str = "EVENTS";
/// Per-CPU events by [`crate::Reason`]; see [`crate::event::EVENT_COUNT_SLOTS`].
pub const EVENT_COUNTS: &str = "EVENT_COUNTS";
/// Per-CPU u64s by [`crate::event::Allowance`]: when its token bucket is full again, by the boot-time clock.
pub const ALLOWANCES: &str = "ALLOWANCES";
/// Two per-CPU u64s: whether the packet that is decided on may be shown, as its subscriber's record says, and the pool of an exempt
/// one.
pub const EVENT_TURN: &str = "EVENT_TURN";
/// Per-CPU sets of senders without a record of which an event was offered in this second: of each a part of its hash in the upper
/// half, and the second, as [`crate::values::Hot::last_seen`], in the lower.
pub const EVENT_SENDERS: &str = "EVENT_SENDERS";

/// Global `[u16; MAX_BLOCKED_PORTS]`: the blocked destination ports, the first one again where there are fewer.
pub const BLOCKED_PORTS: &str = "BLOCKED_PORTS";
/// Global u32: how many of [`BLOCKED_PORTS`] are in use.
pub const BLOCKED_PORT_COUNT: &str = "BLOCKED_PORT_COUNT";
/// Global u8: 1 drops TCP from a pool whose ports cannot be read, 0 passes it.
pub const DROP_UNINSPECTABLE: &str = "DROP_UNINSPECTABLE";
/// Global u8: 1 drops blocked ports from sources in no pool, from the date of class [`crate::values::NO_CLASS`] on; 0 passes them.
pub const DROP_UNLISTED: &str = "DROP_UNLISTED";
/// Global u8: 1 blocks only segments that open a connection (`match: new`).
pub const MATCH_NEW: &str = "MATCH_NEW";
/// Global u8: the [`crate::Action`] on a blocked segment.
pub const ACTION: &str = "ACTION";
/// Global u8: 1 blocks connections from the Internet to subscribers' blocked ports (`inbound: block`).
pub const BLOCK_INBOUND: &str = "BLOCK_INBOUND";
/// Global u32: how many bits of an IPv6 address are its subscriber's, 1 to 64.
pub const SUBSCRIBER_BITS: &str = "SUBSCRIBER_BITS";
/// Global u8: 1 counts the segments of exempt subscribers in [`EXEMPT_SYNS`]; 0 removes the code for it.
pub const COUNT_EXEMPT: &str = "COUNT_EXEMPT";
/// Global u8: the [`crate::Tunnel`] bits of all interfaces together; 0 removes the code for them.
pub const TUNNELS: &str = "TUNNELS";
/// Global `[u16; MAX_VLAN_TPIDS]`: `EtherType`s that are VLAN tags besides the usual ones; 0x8100, which is one anyway, where
/// there are fewer.
pub const VLAN_TPIDS: &str = "VLAN_TPIDS";
/// Global u8: 1 skips MPLS labels on the interfaces that have [`crate::framing::MPLS_HERE`]; 0 removes the code for them.
pub const MPLS: &str = "MPLS";
/// Global [`crate::keys::AddressV4`]: the source address of the ICMP errors of `action: prohibit`; all zero for none.
pub const ROUTER_V4: &str = "ROUTER_V4";
/// Global [`crate::keys::AddressV6`]: the source address of the ICMP errors of `action: prohibit`; all zero for none.
pub const ROUTER_V6: &str = "ROUTER_V6";
/// Global u64: what one reply takes from the CPU's token bucket, in nanoseconds; 0 if there is no limit.
pub const ANSWER_INTERVAL: &str = "ANSWER_INTERVAL";
/// Global u64: the depth of that token bucket, in nanoseconds.
pub const ANSWER_BURST: &str = "ANSWER_BURST";
/// Global u8: 1 writes each decision to [`DECISION`], for `explain` and tests.
pub const TRACE: &str = "TRACE";
/// Global u8: a [`crate::event::ShowEvents`].
pub const SHOW_EVENTS: &str = "SHOW_EVENTS";
/// Global `[u64; Allowance::COUNT]`: what one event takes from the CPU's token bucket of its [`crate::event::Allowance`], in
/// nanoseconds.
pub const ALLOWANCE_INTERVALS: &str = "ALLOWANCE_INTERVALS";
/// Global `[u64; Allowance::COUNT]`: the depths of these token buckets, in nanoseconds.
pub const ALLOWANCE_DEPTHS: &str = "ALLOWANCE_DEPTHS";
/// Global `[u16; POOL_SLOTS]`: the slot in [`POOL_COUNTERS`] of each pool, by its place in the policy. A pool keeps its slot when
/// another policy has it at another place.
pub const SLOT_OF_POOL: &str = "SLOT_OF_POOL";
/// Global u8 of aya-log: the most verbose level whose log statements exist; 0 removes them all.
pub const LOG_LEVEL: &str = "AYA_LOG_LEVEL";

/// The longest name of a program or a map: the kernel's `BPF_OBJ_NAME_LEN`, less the zero at its end.
const MAX_OBJECT_NAME: usize = 15;

// A longer name would be cut by the kernel, and then not be found under it, or under another one's.
const _: () = {
    const NAMES: [&str; 28] = [
        SUBSCRIBER_PROGRAM,
        UPLINK_PROGRAM,
        ROOTS,
        PAGES,
        SPARSE,
        PATHS,
        CLASSES,
        SUBSCRIBERS,
        SUBSCRIBERS_LRU,
        MISSES_V6,
        EXEMPT_SYNS,
        DESTINATIONS_V4,
        DESTINATIONS_V6,
        TUNNELS_BY_IF,
        ANSWERS,
        COUNTERS,
        POOL_COUNTERS,
        ANSWER_COUNTS,
        CLOCK,
        BUCKET,
        MOMENT,
        DESCRIPTION,
        DECISION,
        EVENTS,
        EVENT_COUNTS,
        ALLOWANCES,
        EVENT_TURN,
        EVENT_SENDERS,
    ];
    let mut index = 0;
    while index < NAMES.len() {
        assert!(
            NAMES[index].len() <= MAX_OBJECT_NAME,
            "the kernel would cut the name of a program or a map"
        );
        index += 1;
    }
};
