//! Refuses interfaces on which the filter would see no packets, see them twice, or be refused by the kernel, as far as the list
//! of interfaces shows it.

use std::borrow::Borrow;

use thiserror::Error;

use super::target::Target;
use crate::{
    datapath::sys::interfaces::{Interface, Interfaces},
    policy::XdpMode,
};

/// Why the filter cannot run on an interface of this kind.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KindError {
    /// An XDP program belongs on its ports.
    #[error("interface {interface} is {}; name {} instead{}", .kind.why(), .kind.remedy(), listed(.ports))]
    NotThePlace {
        /// The interface.
        interface: String,
        /// What it is.
        kind: Upper,
        /// The names of its ports.
        ports: Vec<String>,
    },
    /// Devices of its kind have no driver that runs XDP programs.
    #[error(
        "interface {interface} is a {kind} device, which has no native mode; {}",
        match .parent {
            Some(parent) => format!(
                "name {parent}, the interface below it, to filter all that {parent} carries in native mode, \
                 or set `xdp: generic`, which is several times slower"
            ),
            None => "set `xdp: generic`, which is several times slower".into(),
        }
    )]
    NoNativeMode {
        /// The interface.
        interface: String,
        /// Its kind.
        kind: String,
        /// The name of the interface below it.
        parent: Option<String>,
    },
    /// Two entries of the policy name one interface.
    #[error("{first} and {second} are names of one interface ({interface}); name it once")]
    NamedTwice {
        /// The name in the first entry.
        first: String,
        /// That in the second.
        second: String,
        /// The interface's name.
        interface: String,
    },
    /// The policy names an interface and a port of it.
    #[error(
        "interface {port} is a port of {master}, which the policy names too; name {master} or its ports, \
         not both: the program on {master} sees the packets of all its ports"
    )]
    PortOfAnother {
        /// The port.
        port: String,
        /// The interface that it belongs to.
        master: String,
    },
    /// An interface above it runs a program; the kernel attaches none below then.
    #[error(
        "interface {interface} is below {upper}, which runs an XDP program (id {id}), and the kernel attaches none below then; \
         remove that one first, if it is op25b's by a reload of a policy without {upper}"
    )]
    UpperRuns {
        /// The interface.
        interface: String,
        /// The bond, VLAN device or other interface above it.
        upper: String,
        /// The id of the program there.
        id: u32,
    },
    /// Ports of it run programs; the kernel takes none in native mode for all of them then.
    #[error(
        "ports of {interface} run XDP programs ({}), and the kernel runs none on {interface} in native mode then; \
         remove them first, or name the ports instead", .ports.join(", ")
    )]
    PortsRun {
        /// The interface.
        interface: String,
        /// Its ports that run programs.
        ports: Vec<String>,
    },
}

impl KindError {
    /// The entry of the policy that is refused.
    pub(super) fn entry(&self) -> &str {
        match self {
            Self::NotThePlace { interface, .. }
            | Self::NoNativeMode { interface, .. }
            | Self::UpperRuns { interface, .. }
            | Self::PortsRun { interface, .. } => interface,
            Self::NamedTwice { second, .. } => second,
            Self::PortOfAnother { port, .. } => port,
        }
    }

    /// The entry with which it cannot be combined.
    pub(super) fn other_entry(&self) -> Option<&str> {
        match self {
            Self::NamedTwice { first, .. } => Some(first),
            Self::PortOfAnother { master, .. } => Some(master),
            _ => None,
        }
    }
}

/// A kind of interface above others, on which an XDP program does not see what enters through those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upper {
    /// A Linux bridge: what it forwards is delivered to no interface but its ports.
    Bridge,
    /// A team: its driver takes no XDP program.
    Team,
    /// The internal port of an Open vSwitch bridge, as a bridge.
    OpenVSwitch,
    /// A VRF: the network layer gives packets to it that have entered through its ports.
    Vrf,
    /// An intermediate functional block: a packet goes on where it was redirected from.
    Ifb,
    /// The interface that a switch is connected to (DSA): its frames have tags of the switch.
    Conduit,
}

impl Upper {
    /// The kind of an interface, if it is one of these.
    fn of(interfaces: &Interfaces, interface: &Interface) -> Option<Self> {
        Some(match interface.kind.as_deref().unwrap_or_default() {
            "bridge" => Self::Bridge,
            "team" => Self::Team,
            "openvswitch" => Self::OpenVSwitch,
            "vrf" => Self::Vrf,
            "ifb" => Self::Ifb,
            _ if switch_ports(interfaces, interface).next().is_some() => Self::Conduit,
            _ => return None,
        })
    }

    /// What it is, and why a program does not belong there.
    fn why(self) -> &'static str {
        match self {
            Self::Bridge => {
                "a bridge, and an XDP program on it does not see the packets that it forwards between its ports"
            }
            Self::Team => "a team, whose driver takes no XDP program",
            Self::OpenVSwitch => {
                "an Open vSwitch bridge, and an XDP program on it does not see the packets that it forwards between its ports"
            }
            Self::Vrf => {
                "a VRF, and an XDP program on it does not see the packets that enter through its ports"
            }
            Self::Conduit => {
                "the conduit of a DSA switch, and an XDP program on it sees frames with the switch's tags, which hide the packets"
            }
            Self::Ifb => {
                "an ifb device, and an XDP program on it does not see the packets that are redirected to it"
            }
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Ifb => "the interface from which they are redirected",
            _ => "those of its ports that the packets enter",
        }
    }

    /// The ports of an interface of this kind.
    fn ports<'a>(self, interfaces: &'a Interfaces, interface: &'a Interface) -> Vec<&'a Interface> {
        match self {
            // The ports of all bridges of Open vSwitch are those of one interface, ovs-system.
            Self::OpenVSwitch => {
                let has_such_master = |port: &&Interface| {
                    let master = interfaces.master_of(port);
                    master.is_some_and(|master| master.kind == interface.kind)
                };
                interfaces.iter().filter(has_such_master).collect()
            }
            Self::Conduit => switch_ports(interfaces, interface).collect(),
            _ => interfaces.ports_of(interface.index).collect(),
        }
    }
}

/// The ports of the switch that is connected to an interface.
fn switch_ports<'a>(
    interfaces: &'a Interfaces,
    interface: &Interface,
) -> impl Iterator<Item = &'a Interface> + use<'a> {
    let index = interface.index;
    let is_port =
        move |port: &&Interface| port.kind.as_deref() == Some("dsa") && port.linked_to == Some(index);
    interfaces.iter().filter(is_port)
}

fn listed(ports: &[String]) -> String {
    if ports.is_empty() {
        String::new()
    } else {
        format!(": {}", ports.join(", "))
    }
}

fn names<'a>(interfaces: impl IntoIterator<Item = &'a Interface>) -> Vec<String> {
    let names = interfaces.into_iter().map(|interface| interface.name.clone());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

/// Refuses an interface of a kind on which the filter would see no packets, or would not run in this mode.
pub(super) fn check_kind(
    interfaces: &Interfaces,
    interface: &Interface,
    mode: XdpMode,
) -> Result<(), KindError> {
    let kind = interface.kind.as_deref().unwrap_or_default();
    if let Some(upper) = Upper::of(interfaces, interface) {
        return Err(KindError::NotThePlace {
            interface: interface.name.clone(),
            kind: upper,
            ports: names(upper.ports(interfaces, interface)),
        });
    }
    if mode == XdpMode::Native && matches!(kind, "vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap") {
        let parent = interface.linked_to.and_then(|index| interfaces.with_index(index));
        return Err(KindError::NoNativeMode {
            interface: interface.name.clone(),
            kind: match kind {
                "vlan" => "VLAN".into(),
                _ => kind.into(),
            },
            parent: parent.map(|parent| parent.name.clone()),
        });
    }
    Ok(())
}

/// Whether an interface is of a kind that lies above the one that it is linked to. The program has to be attached below first:
/// the kernel attaches none below an interface that runs one.
pub(super) fn is_stacked(interface: &Interface) -> bool {
    matches!(
        interface.kind.as_deref(),
        Some("vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "macsec" | "vxlan")
    )
}

/// Refuses a new program on an interface if those above it or its ports run others that are in its way.
pub(super) fn check_neighbours(
    interfaces: &Interfaces,
    interface: &Interface,
    mode: XdpMode,
) -> Result<(), KindError> {
    let is_above = |upper: &&Interface| {
        interface.master == Some(upper.index) || is_stacked(upper) && upper.linked_to == Some(interface.index)
    };
    for upper in interfaces.iter().filter(is_above) {
        if let Some(program) = upper.xdp.first() {
            return Err(KindError::UpperRuns {
                interface: interface.name.clone(),
                upper: upper.name.clone(),
                id: program.program_id,
            });
        }
    }
    let is_bond = interface.kind.as_deref() == Some("bond");
    if is_bond && mode != XdpMode::Generic {
        let running = interfaces.ports_of(interface.index);
        let ports = names(running.filter(|port| !port.xdp.is_empty()));
        if !ports.is_empty() {
            return Err(KindError::PortsRun {
                interface: interface.name.clone(),
                ports,
            });
        }
    }
    Ok(())
}

/// Refuses targets of which two are one interface, or one is a port of another.
pub(super) fn check_together(
    interfaces: &Interfaces,
    targets: &[impl Borrow<Target>],
) -> Result<(), KindError> {
    let targets: Vec<&Target> = targets.iter().map(Borrow::borrow).collect();
    let found = |target: &Target| interfaces.named(&target.interface);
    for (position, second) in targets.iter().copied().enumerate() {
        let Some(interface) = found(second) else { continue };
        let mut before = targets[..position].iter().copied();
        if let Some(first) = before.find(|first| interface.is_named(&first.interface)) {
            return Err(KindError::NamedTwice {
                first: first.interface.clone(),
                second: second.interface.clone(),
                interface: interface.name.clone(),
            });
        }
    }
    for master in targets.iter().copied() {
        let Some(interface) = found(master) else { continue };
        let ports = interfaces.all_ports_of(interface.index);
        let is_port = |target: &&&Target| found(target).is_some_and(|port| ports.contains(&port.index));
        if let Some(port) = targets.iter().find(is_port) {
            return Err(KindError::PortOfAnother {
                port: port.interface.clone(),
                master: master.interface.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
