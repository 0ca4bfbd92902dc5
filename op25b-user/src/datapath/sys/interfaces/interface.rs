//! One interface, as an rtnetlink message describes it.

use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp, Prop,
};

/// One XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAttachment {
    /// `native`, `generic` or `offloaded`, as in the policy's `xdp:`.
    pub mode: &'static str,
    /// The program's id in the kernel.
    pub program_id: u32,
}

/// An interface, as the kernel lists it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its other names (`ip link property add dev NAME altname OTHER`).
    pub alternative_names: Vec<String>,
    /// Its index.
    pub index: u32,
    /// Whether its frames begin with an Ethernet header.
    pub is_ethernet: bool,
    /// The kind of a virtual interface, such as `bridge` or `vlan`; none for hardware.
    pub kind: Option<String>,
    /// Where its device is, by the name of the bus and its name there; none for virtual interfaces, and before Linux 5.14.
    pub device: Option<(String, String)>,
    /// The index of the interface whose port it is: a bond, a bridge, or the interface that a VF belongs to (netvsc).
    pub master: Option<u32>,
    /// The index of the interface that it is linked to in this network namespace: for a VLAN device its parent, for a veth
    /// device its peer.
    pub linked_to: Option<u32>,
    /// Whether it is set up (`ip link set dev NAME up`).
    pub is_up: bool,
    /// Whether it has a carrier: something is at the other end of the cable.
    pub has_carrier: bool,
    /// The size of the largest packet.
    pub mtu: u32,
    /// Whether it is a port of a switch whose chip forwards packets by itself (switchdev).
    pub is_switch_port: bool,
    /// The XDP programs on it; empty for most.
    pub xdp: Vec<XdpAttachment>,
}

impl Interface {
    /// The interface that a message describes, if it names one.
    pub(super) fn read(message: &LinkMessage) -> Option<Self> {
        let mut interface = Self {
            index: message.header.index,
            is_up: message.header.flags.contains(LinkFlags::Up),
            has_carrier: message.header.flags.contains(LinkFlags::LowerUp),
            is_ethernet: matches!(
                message.header.link_layer_type,
                LinkLayerType::Ether | LinkLayerType::Loopback
            ),
            ..Self::default()
        };
        let mut is_linked_elsewhere = false;
        let (mut bus, mut device) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => interface.name.clone_from(name),
                LinkAttribute::PropList(properties) => interface.alternative_names = names(properties),
                LinkAttribute::LinkInfo(info) => interface.kind = kind(info),
                LinkAttribute::Controller(index) => interface.master = Some(*index),
                LinkAttribute::Link(index) => interface.linked_to = Some(*index),
                // The index is one of that namespace.
                LinkAttribute::LinkNetNsId(_) => is_linked_elsewhere = true,
                LinkAttribute::ParentDevBusName(name) => bus = Some(name.clone()),
                LinkAttribute::ParentDevName(name) => device = Some(name.clone()),
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::PhysSwitchId(_) => interface.is_switch_port = true,
                LinkAttribute::Xdp(attributes) => interface.xdp = attachments(attributes),
                _ => {}
            }
        }
        interface.device = bus.zip(device);
        interface.linked_to = interface
            .linked_to
            .filter(|index| *index != 0 && !is_linked_elsewhere);
        (!interface.name.is_empty()).then_some(interface)
    }

    /// Whether this is one of its names.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.alternative_names.iter().any(|other| other == name)
    }
}

fn names(properties: &[Prop]) -> Vec<String> {
    let mut names = Vec::new();
    for property in properties {
        if let Prop::AltIfName(name) = property {
            names.push(name.clone());
        }
    }
    names
}

fn kind(info: &[LinkInfo]) -> Option<String> {
    info.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

fn attachments(attributes: &[LinkXdp]) -> Vec<XdpAttachment> {
    attributes
        .iter()
        .filter_map(|attribute| match *attribute {
            LinkXdp::DrvProgId(program_id) => Some(XdpAttachment {
                mode: "native",
                program_id,
            }),
            LinkXdp::SkbProgId(program_id) => Some(XdpAttachment {
                mode: "generic",
                program_id,
            }),
            LinkXdp::HwProgId(program_id) => Some(XdpAttachment {
                mode: "offloaded",
                program_id,
            }),
            _ => None,
        })
        .collect()
}
