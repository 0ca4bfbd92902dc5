//! Subscriber interfaces: whether the router checks the sources of their packets, and whether their sessions are spread over CPUs.

use std::io;

use super::{Check, Line, Place};
use crate::datapath::{
    Interface, Interfaces,
    host::{Channels, ReversePath, pppoe_sessions, reverse_path},
};

/// Examines them.
pub(super) fn lines(place: &Place<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    // A port of a bridge or bond routes nothing itself.
    if place.interface.master.is_none() {
        let routed = routed(place.interfaces, place.interface);
        let checked: Vec<_> = routed.iter().map(|name| (*name, reverse_path(name))).collect();
        lines.push(checks(&checked));
    }
    let sessions = pppoe_sessions(&place.interface.name);
    let nic = place.nics.of(place.interfaces, place.interface).ok();
    let queues = nic.and_then(|nic| nic.channels).map_or(0, Channels::receiving);
    lines.extend(pppoe(&place.interface.name, sessions, queues));
    lines
}

/// The interfaces at which the router receives what enters through one: the VLAN devices on it, or itself.
fn routed<'a>(interfaces: &'a Interfaces, interface: &'a Interface) -> Vec<&'a str> {
    let is_above = |upper: &&Interface| {
        upper.kind.as_deref() == Some("vlan") && upper.linked_to == Some(interface.index)
    };
    let mut above: Vec<_> = interfaces
        .iter()
        .filter(is_above)
        .map(|upper| upper.name.as_str())
        .collect();
    above.sort_unstable();
    if above.is_empty() {
        vec![&interface.name]
    } else {
        above
    }
}

fn checks(found: &[(&str, io::Result<ReversePath>)]) -> Line {
    let with = |wanted: ReversePath| {
        let names = found
            .iter()
            .filter(|(_, found)| found.as_ref().is_ok_and(|found| *found == wanted));
        names.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    if let Some((name, Err(error))) = found.iter().find(|(_, found)| found.is_err()) {
        return Line::unknown(
            Check::ReversePath,
            format!("rp_filter of {name} cannot be read: {error}"),
        );
    }
    let (off, loose) = (with(ReversePath::Off), with(ReversePath::Loose));
    if !off.is_empty() {
        return Line::warn(
            Check::ReversePath,
            format!(
                "sources are not checked by their routes on {} (rp_filter is 0): a subscriber can send with another's address, and \
                 the records and counters are of that one",
                off.join(", ")
            ),
            format!(
                "`sysctl -w net.ipv4.conf.{}.rp_filter=1`, and for IPv6 `fib saddr . iif` in nftables, which is not seen here",
                off[0].replace('.', "/")
            ),
        );
    }
    if !loose.is_empty() {
        let message = format!(
            "sources are checked on {} only for whether there is a route to them (rp_filter is 2): another subscriber's address \
             passes",
            loose.join(", ")
        );
        return Line::ok(Check::ReversePath, message);
    }
    Line::ok(
        Check::ReversePath,
        "IPv4 sources are checked by their routes (rp_filter is 1); for IPv6 nftables does that (`fib saddr . iif`), which is not seen \
         here",
    )
}

/// That many NICs do not look into `PPPoE` when they choose a queue.
fn pppoe(interface: &str, sessions: usize, queues: u32) -> Option<Line> {
    (sessions > 0 && queues > 1).then(|| {
        Line::warn(
            Check::Queues,
            format!(
                "{sessions} PPPoE sessions end here: many NICs do not look into PPPoE when they choose a queue, and then one of \
                 {queues} queues, and one CPU, gets all of it"
            ),
            format!(
                "`ethtool -S {interface}` shows whether one queue receives nearly all; then a NIC that hashes PPPoE (Intel E810 with its \
                 DDP package for communications), or subscribers on several ports. RPS does not help: the filter runs before it"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    #[test]
    fn sources_that_nothing_checks_are_warned_of() {
        let strict = checks(&[("eth1", Ok(ReversePath::Strict))]);
        assert_eq!(strict.result, Grade::Ok);
        assert_eq!(checks(&[("eth1", Ok(ReversePath::Loose))]).result, Grade::Ok);
        let off = checks(&[
            ("eth1.7", Ok(ReversePath::Off)),
            ("eth1.8", Ok(ReversePath::Strict)),
        ]);
        assert_eq!(off.result, Grade::Warn);
        assert!(off.message.contains("on eth1.7 (rp_filter is 0)"), "{off:?}");
        assert!(
            off.remedy
                .unwrap()
                .starts_with("`sysctl -w net.ipv4.conf.eth1/7.rp_filter=1`")
        );
        let hidden = checks(&[("eth1", Err(io::Error::from_raw_os_error(libc::ENOENT)))]);
        assert_eq!(hidden.result, Grade::Unknown);
    }

    #[test]
    fn the_devices_of_vlans_are_what_is_routed() {
        let interface = |name: &str, index, kind: Option<&str>, linked_to| Interface {
            name: name.to_owned(),
            index,
            kind: kind.map(str::to_owned),
            linked_to,
            ..Interface::default()
        };
        let interfaces: Interfaces = [
            interface("eth1", 1, None, None),
            interface("eth1.8", 2, Some("vlan"), Some(1)),
            interface("eth1.7", 3, Some("vlan"), Some(1)),
            interface("eth2", 4, None, None),
        ]
        .into_iter()
        .collect();
        let of = |name| routed(&interfaces, interfaces.named(name).unwrap());
        assert_eq!(of("eth1"), ["eth1.7", "eth1.8"]);
        assert_eq!(of("eth2"), ["eth2"]);
    }

    #[test]
    fn pppoe_on_several_queues_is_warned_of() {
        assert_eq!(pppoe("eth1", 0, 8), None);
        assert_eq!(pppoe("eth1", 200, 1), None);
        let line = pppoe("eth1", 200, 8).unwrap();
        assert!(
            line.message.starts_with("200 PPPoE sessions end here"),
            "{line:?}"
        );
    }
}
