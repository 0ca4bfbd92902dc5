//! The interfaces of a policy: whether the filter can run there, how fast, and whether it sees the packets.

mod bypass;
mod native;
mod occupants;
mod sources;

use anyhow::Context as _;
use op25b_common::Action;

use super::{Check, Grade, Line};
use crate::{
    datapath::{
        AttachError, Disagreement, Interface, Interfaces, Need, Settings, Target,
        host::{Nics, flowtables},
        obstacles,
    },
    policy::{Policy, Role, XdpMode},
};

/// That an interface is missing for which the policy waits.
pub(crate) const AWAITED: &str =
    "there is no such interface now: it is filtered as soon as there is one (`wait: true`)";

/// Where to look.
struct Place<'a> {
    interfaces: &'a Interfaces,
    interface: &'a Interface,
    target: &'a Target,
    nics: &'a Nics,
}

/// Whether the filter can run on each of them and is of use there.
pub(crate) fn shared(policy: &Policy) -> anyhow::Result<Vec<Line>> {
    examine(policy, |_| Vec::new())
}

/// The same, and what else matters to a roll-out.
pub(super) fn all(policy: &Policy) -> anyhow::Result<Vec<Line>> {
    examine(policy, |place| {
        let subscriber = place.target.role == Role::Subscriber;
        let sources = subscriber.then(|| sources::lines(place)).into_iter().flatten();
        sources.collect()
    })
}

fn examine(policy: &Policy, more: impl Fn(&Place<'_>) -> Vec<Line>) -> anyhow::Result<Vec<Line>> {
    let interfaces = Interfaces::list()?;
    let targets = Target::all_of(policy);
    let obstacles = obstacles(&interfaces, &targets);
    let nics = Nics::open().context("cannot ask for the features of interfaces")?;
    let settings = Settings::open().context("cannot ask for the offloads of interfaces")?;
    let mut lines = Vec::new();
    for target in &targets {
        let found = if let Some(obstacle) = obstacles.iter().find(|found| found.interface == target.interface)
        {
            vec![in_the_way(&obstacle.why, target.need)]
        } else if let Some(interface) = interfaces.named(&target.interface) {
            let place = Place {
                interfaces: &interfaces,
                interface,
                target,
                nics: &nics,
            };
            let mut found = lines_of(&place, policy, settings.as_ref())?;
            found.extend(more(&place));
            found
        } else {
            continue;
        };
        lines.extend(found.into_iter().map(|line| line.on(&target.interface)));
    }
    Ok(lines)
}

/// Why the filter does not run on an interface, whatever its settings are.
fn in_the_way(why: &AttachError, need: Need) -> Line {
    if why.is_absence() && need == Need::MayBeMissing {
        return Line::unknown(Check::Interface, AWAITED);
    }
    let message = why.to_string();
    let (what, remedy) = message
        .split_once("; ")
        .unwrap_or((&message, "name another interface"));
    Line::fail(Check::Interface, what, remedy)
}

fn lines_of(place: &Place<'_>, policy: &Policy, settings: Option<&Settings>) -> anyhow::Result<Vec<Line>> {
    let mut lines = vec![kind(place), link(place.interface)];
    let occupant = occupants::occupant_of(place.interface);
    lines.extend(occupants::line(&place.interface.name, occupant.as_ref()));
    let runs_natively = occupant.is_some_and(|found| found.is_of_op25b() && found.mode == "native");
    let native = native::lines(place, policy.block.action, runs_natively)?;
    let is_native = native::is_expected(&native, place.target.xdp);
    lines.extend(native);
    if is_native {
        lines.extend(offloads(place, policy, settings)?);
    }
    lines.push(bypass::line(
        place.interface,
        place.nics.obeys_offloaded_rules(place.interface)?,
        flowtables::in_hardware,
    ));
    Ok(lines)
}

/// That there is one.
fn kind(place: &Place<'_>) -> Line {
    let interface = place.interface;
    let mut message = match (interface.driver(), &interface.device) {
        (Some(driver), Some((bus, device))) => format!("driver {driver}, {bus} device {device}"),
        (Some(kind), None) => format!("a {kind} device"),
        (None, _) => "driver not known".to_owned(),
    };
    let mut ports: Vec<_> = place
        .interfaces
        .ports_of(interface.index)
        .map(|port| port.name.as_str())
        .collect();
    ports.sort_unstable();
    if !ports.is_empty() {
        message = format!("{message} with the ports {}", ports.join(", "));
    }
    if let Some(master) = place.interfaces.master_of(interface) {
        message = format!("{message}, a port of {}", master.name);
    }
    if interface.name != place.target.interface {
        message = format!("{}, {message}", interface.name);
    }
    Line::ok(Check::Interface, message)
}

fn link(interface: &Interface) -> Line {
    if !interface.is_up {
        let remedy = format!("`ip link set dev {} up`", interface.name);
        Line::warn(
            Check::Link,
            "it is down: no packet arrives there until it is up",
            remedy,
        )
    } else if !interface.has_carrier {
        let message = "it has no carrier: no packet arrives there until the link is up";
        Line::warn(
            Check::Link,
            message,
            "check the cable, the optics and the port at the other end",
        )
    } else {
        Line::ok(Check::Link, format!("up, MTU {}", interface.mtu))
    }
}

/// The offloads that disagree with a filter in native mode.
fn offloads(place: &Place<'_>, policy: &Policy, settings: Option<&Settings>) -> anyhow::Result<Vec<Line>> {
    let Some(settings) = settings else {
        let message = "this kernel does not show offloads by netlink: `ethtool -k` does";
        return Ok(vec![Line::unknown(Check::Offloads, message)]);
    };
    let has_replies = policy.block.action != Action::Drop && place.target.role == Role::Subscriber;
    let found = settings.warnings(place.interfaces, place.interface, has_replies)?;
    if found.is_empty() {
        return Ok(vec![Line::ok(Check::Offloads, "none disagrees with the filter")]);
    }
    let line = |found: Disagreement| Line::warn(Check::Offloads, found.what, found.remedy);
    Ok(found.into_iter().map(line).collect())
}

/// As bad as the mode of the policy makes it that native mode does not work.
fn without_native(mode: XdpMode) -> (Grade, &'static str) {
    match mode {
        XdpMode::Native => (Grade::Fail, "so `xdp: native` is refused"),
        XdpMode::Auto | XdpMode::Generic => (
            Grade::Warn,
            "so the filter runs in generic mode, which is several times slower",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::KindError;

    #[test]
    fn an_interface_that_may_be_missing_is_no_failure_and_any_other_obstacle_is() {
        let absent = AttachError::NoInterface {
            interface: "eth9".to_owned(),
            known: "eth0, lo".to_owned(),
        };
        let line = in_the_way(&absent, Need::Required);
        assert_eq!(line.result, Grade::Fail);
        assert_eq!(
            line.message,
            "there is no interface eth9 in this network namespace"
        );
        assert_eq!(line.remedy.as_deref(), Some("`ip link` lists eth0, lo"));
        assert_eq!(in_the_way(&absent, Need::MayBeMissing).result, Grade::Unknown);
        let port = AttachError::Kind(KindError::PortOfAnother {
            port: "eth2".to_owned(),
            master: "bond0".to_owned(),
        });
        let line = in_the_way(&port, Need::MayBeMissing);
        assert_eq!(line.result, Grade::Fail);
        assert!(
            line.remedy
                .unwrap()
                .starts_with("name bond0 or its ports, not both")
        );
    }

    #[test]
    fn a_link_without_packets_is_warned_of() {
        let mut interface = Interface {
            name: "eth1".to_owned(),
            mtu: 1500,
            ..Interface::default()
        };
        assert_eq!(
            link(&interface).remedy.as_deref(),
            Some("`ip link set dev eth1 up`")
        );
        interface.is_up = true;
        assert!(link(&interface).message.starts_with("it has no carrier"));
        interface.has_carrier = true;
        assert_eq!(link(&interface).message, "up, MTU 1500");
    }
}
