//! An event as fields with names, and as a sentence: what syslog messages and entries of the journal are made of.

use std::fmt;

use ipnet::IpNet;
use op25b_common::Reason;

use crate::{api::shown_prefix, report::Event};

/// `local0` (RFC 5424, 6.2.1).
pub(super) const FACILITY: u8 = 16;
/// A packet that was blocked, or that hides its ports.
const NOTICE: u8 = 5;
/// A packet that passed.
const INFORMATIONAL: u8 = 6;

/// How much an event matters, as RFC 5424 has it.
pub(super) fn severity(event: &Event) -> u8 {
    match event.reason {
        Reason::Blocked | Reason::Uninspectable => NOTICE,
        _ => INFORMATIONAL,
    }
}

/// What is known of an event besides its time, with the names that it has in JSON.
pub(super) fn fields(event: &Event) -> impl Iterator<Item = (&'static str, String)> {
    let net = |net: Option<IpNet>| net.map(shown_prefix);
    let vlans: Vec<_> = event.vlans.iter().map(ToString::to_string).collect();
    let tunnels: Vec<_> = event.tunnels.iter().map(ToString::to_string).collect();
    let list = |list: Vec<String>| (!list.is_empty()).then(|| list.join(","));
    let fields = [
        ("sequence", Some(event.sequence.to_string())),
        ("interface", Some(event.interface.clone())),
        ("role", Some(event.role.name().to_owned())),
        ("verdict", Some(event.verdict.name().to_owned())),
        ("reason", Some(event.reason.name().to_owned())),
        ("pool", event.pool.clone()),
        ("source", net(event.source)),
        ("source_port", event.source_port.map(|port| port.to_string())),
        ("destination", net(event.destination)),
        ("nat64", net(event.nat64)),
        (
            "destination_port",
            event.destination_port.map(|port| port.to_string()),
        ),
        ("flags", event.flags.map(|flags| flags.to_string())),
        ("vlans", list(vlans)),
        (
            "pppoe_session",
            event.pppoe_session.map(|session| session.to_string()),
        ),
        ("tunnels", list(tunnels)),
        ("length", Some(event.length.to_string())),
        ("first", event.first.then(|| "true".to_owned())),
    ];
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}

/// The event for people: `blocked 198.51.100.20 port 40000 to 203.0.113.0/24 port 25 in pool homes`.
pub(super) struct Sentence<'a>(pub(super) &'a Event);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        f.write_str(event.reason.name())?;
        let end = |f: &mut fmt::Formatter<'_>, net: Option<IpNet>, port: Option<u16>| {
            if let Some(net) = net {
                write!(f, " {}", shown_prefix(net))?;
            }
            port.map_or(Ok(()), |port| write!(f, " port {port}"))
        };
        end(f, event.source, event.source_port)?;
        if event.destination.is_some() || event.destination_port.is_some() {
            f.write_str(" to")?;
            end(f, event.destination, event.destination_port)?;
        }
        match &event.pool {
            Some(pool) => write!(f, " in pool {pool}"),
            None => Ok(()),
        }
    }
}
