//! The records: an event, and the counts of what was shown.

use std::net::IpAddr;

use op25b_common::Verdict;

use super::template::{IPV4, IPV6, SAMPLING, Template};
use crate::report::{Event, EventCount};

/// TCP.
const PROTOCOL: u8 = 6;
/// `firewallEvent`: a flow was denied, or its state is of no interest.
const DENIED: u8 = 3;
const IGNORED: u8 = 0;
/// `forwardingStatus` (RFC 7270, 4.12): forwarded; dropped by an access list, with an answer or without.
const FORWARDED: u8 = 64;
const ACL_DENY: u8 = 129;
const ACL_DROP: u8 = 130;

/// An event's record, and the template of its family. `index` is its interface's. An event without a source has none: IPFIX has no
/// flow without addresses.
pub(super) fn of_event(event: &Event, index: u32) -> Option<(&'static Template, Vec<u8>)> {
    let source = event.source?.addr();
    // What the policy leaves out, and the other family of a packet in a tunnel, are the unspecified address with length 0.
    let other_family = |net: &ipnet::IpNet| net.addr().is_ipv4() == source.is_ipv4();
    let destination = event.destination.filter(other_family);
    let mut record = Vec::new();
    let time = event.time.as_millisecond().unsigned_abs();
    record.extend(time.to_be_bytes());
    record.extend(time.to_be_bytes());
    record.extend(index.to_be_bytes());
    let template = match source {
        IpAddr::V4(source) => {
            record.extend(source.octets());
            record.extend(match destination.map(|net| net.addr()) {
                Some(IpAddr::V4(address)) => address.octets(),
                _ => [0; 4],
            });
            &IPV4
        }
        IpAddr::V6(source) => {
            record.extend(source.octets());
            record.extend(match destination.map(|net| net.addr()) {
                Some(IpAddr::V6(address)) => address.octets(),
                _ => [0; 16],
            });
            &IPV6
        }
    };
    record.push(destination.map_or(0, |net| net.prefix_len()));
    record.push(PROTOCOL);
    for port in [event.source_port, event.destination_port] {
        record.extend(port.unwrap_or_default().to_be_bytes());
    }
    let flags = event.flags.map_or(0, |flags| flags.0);
    record.extend(u16::from(flags).to_be_bytes());
    record.extend(1_u64.to_be_bytes());
    record.extend(u64::from(event.length).to_be_bytes());
    record.extend(event.vlans.first().copied().unwrap_or_default().to_be_bytes());
    record.push(match event.verdict {
        Verdict::Pass => FORWARDED,
        Verdict::Reject => ACL_DENY,
        Verdict::Drop => ACL_DROP,
    });
    record.push(if event.verdict == Verdict::Pass {
        IGNORED
    } else {
        DENIED
    });
    Some((template, record))
}

/// The record of the sampling: of how many packets how many were shown.
pub(super) fn of_sampling(counts: &[EventCount]) -> (&'static Template, Vec<u8>) {
    /// The only selector.
    const SELECTOR: u64 = 1;
    let shown: u64 = counts.iter().map(|count| count.shown).sum();
    let others: u64 = counts.iter().map(|count| count.sampled_out + count.lost).sum();
    let record = [SELECTOR, shown + others, shown];
    (&SAMPLING, record.into_iter().flat_map(u64::to_be_bytes).collect())
}
