//! What a walk takes place in: the daemon, the network with its traffic, the store's files and the clock.

pub mod clock;
pub mod daemon;
pub mod network;
pub mod store_files;
pub mod traffic;

use crate::lab::Host;

/// The router's interfaces that are filtered, and the host at the other end of each.
pub const INTERFACES: [(&str, Host); 3] = [
    ("sub0", Host::Subscriber),
    ("corp0", Host::Corporate),
    ("access0", Host::Pppoe),
];

/// Where interfaces are moved to.
pub const ELSEWHERE: Host = Host::Relay;

/// A policy that is refused.
pub const BAD: &str = "version: 1\ninterfaces: []\n";

/// A policy for interfaces of these names; an even and an odd variant filter the same packets for other reasons.
///
/// One pool is enforced from a date on.
pub fn policy(names: &[String], date: &str, variant: u64) -> String {
    let mut interfaces = String::new();
    for name in names {
        interfaces += "  - { name: ";
        interfaces += name;
        interfaces += ", role: subscriber }\n";
    }
    // The lines' sources, in the order of `Traffic::lines`: each has the third byte of its number.
    let [dynamic, dated] = if variant.is_multiple_of(2) {
        [
            "198.18.0.0/24, 198.18.2.0/23, 198.18.5.0/24",
            "198.18.1.0/24, 198.18.4.0/24",
        ]
    } else {
        ["198.18.0.0/22", "198.18.4.0/23"]
    };
    let pools = format!(
        "\
- {{ name: dynamic, prefixes: [{dynamic}] }}
- {{ name: dated, prefixes: [{dated}], enforce_from: {date} }}
- {{ name: others, prefixes: [198.19.0.0/16] }}
"
    );
    format!("version: 1\ninterfaces:\n{interfaces}pools:\n{pools}")
}
