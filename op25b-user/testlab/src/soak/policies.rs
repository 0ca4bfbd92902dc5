//! Two policies that agree about every packet of the soak, each for reasons of its own: half of one with half of the
//! other would not.
//!
//! The first passes the customer by an exemption and blocks the bots by a pool; the second passes the customer by a relay
//! and blocks the bots because they are in no pool. So with the relays, pools or exemptions of the second, the first would
//! let bots pass or block the customer; and with the pools, relays or `block` of the first, the second would.

use std::net::Ipv4Addr;

/// Where the blocked packets come from: 198.18.0.0/15, the network for benchmarks (RFC 2544).
const BOTS: &str = "198.18.0.0/15";
/// One of them.
pub const BOT: Ipv4Addr = Ipv4Addr::new(198, 18, 37, 5);
/// Where the allowed ones come from.
pub const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 138);
/// Where all of them go.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 25);

const INTERFACES: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber }
  - { name: access0, role: subscriber, wait: true }
";

/// One of the two, by turns.
#[must_use]
pub fn policy(turn: usize) -> String {
    if turn.is_multiple_of(2) {
        format!(
            "{INTERFACES}\
pools: [{{ name: everybody, prefixes: [{BOTS}, {CUSTOMER}/32] }}]
exemptions: [{{ customer: Example KK, prefixes: [{CUSTOMER}] }}]
"
        )
    } else {
        format!(
            "{INTERFACES}\
block: {{ unlisted: drop }}
pools: [{{ name: customers, prefixes: [{CUSTOMER}/32] }}]
relays: [{{ name: server, prefixes: [{SERVER}] }}]
"
        )
    }
}
