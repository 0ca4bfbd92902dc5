//! Asks which offloads of an interface are on (`ethtool` of generic netlink, since Linux 5.6).

use std::io;

use rtnetlink::packet_core::{DecodeError, DefaultNla, NLA_F_NESTED, Nla as _, NlaBuffer, NlasIterator};

use super::{
    super::generic::{Attributes, GenericNetlink, Question},
    header,
};

// Of `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;

/// What a NIC does to packets before an XDP program receives them, as far as it matters to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offload {
    /// It takes off the outermost customer tag (IEEE 802.1Q).
    CustomerTag,
    /// It takes off the outermost service tag (IEEE 802.1ad).
    ServiceTag,
    /// It merges segments of a connection, in a way that cannot be undone.
    Lro,
    /// It merges segments of a connection, in a way that can be undone.
    HardwareGro,
    /// It forwards what a rule of `tc` or of a flowtable tells it to, without the CPU.
    TrafficControl,
}

impl Offload {
    const ALL: [Self; 5] = [
        Self::CustomerTag,
        Self::ServiceTag,
        Self::Lro,
        Self::HardwareGro,
        Self::TrafficControl,
    ];

    /// The kernel's name of the feature, as `ethtool -k` shows it for those without an older one.
    fn feature(self) -> &'static str {
        match self {
            Self::CustomerTag => "rx-vlan-hw-parse",
            Self::ServiceTag => "rx-vlan-stag-hw-parse",
            Self::Lro => "rx-lro",
            Self::HardwareGro => "rx-gro-hw",
            Self::TrafficControl => "hw-tc-offload",
        }
    }

    /// The name that `ethtool -K` takes.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::CustomerTag => "rxvlan",
            Self::Lro => "lro",
            Self::ServiceTag | Self::HardwareGro | Self::TrafficControl => self.feature(),
        }
    }
}

/// About the features of an interface.
#[derive(Debug)]
struct Features;

impl Question for Features {
    const FAMILY: &'static str = "ethtool";
    const COMMAND: u8 = ETHTOOL_MSG_FEATURES_GET;
}

/// Asks about interfaces of the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Offloads(GenericNetlink<Features>);

impl Offloads {
    /// Opens a socket; `None` if this kernel does not tell.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        Ok(GenericNetlink::open()?.map(Self))
    }

    /// Which offloads of the interface of this name are on.
    pub(crate) fn active(&self, interface: &str) -> io::Result<Vec<Offload>> {
        active(&self.0.ask(vec![header(interface)])?).map_err(io::Error::other)
    }
}

/// The offloads that are on, as a response lists them: by the names of their features, since it was not asked to be compact.
fn active(response: &Attributes<Features>) -> Result<Vec<Offload>, DecodeError> {
    let attributes = &response.0;
    let mut on = Vec::new();
    let active = |attribute: &&DefaultNla| attribute.kind() & !NLA_F_NESTED == ETHTOOL_A_FEATURES_ACTIVE;
    for features in attributes.iter().filter(active) {
        let mut bitset = vec![0; features.value_len()];
        features.emit_value(&mut bitset);
        for bits in nested(&bitset, ETHTOOL_A_BITSET_BITS)? {
            for bit in NlasIterator::new(bits.value()) {
                for name in nested(bit?.value(), ETHTOOL_A_BITSET_BIT_NAME)? {
                    on.extend(Offload::ALL.into_iter().filter(|offload| {
                        let name = name.value().strip_suffix(&[0]);
                        name == Some(offload.feature().as_bytes())
                    }));
                }
            }
        }
    }
    Ok(on)
}

/// The attributes of one kind in another one.
fn nested(bytes: &[u8], kind: u16) -> Result<Vec<NlaBuffer<&[u8]>>, DecodeError> {
    let attributes = NlasIterator::new(bytes);
    let of_kind = |attribute: &Result<NlaBuffer<&[u8]>, _>| {
        attribute.as_ref().map_or(true, |found| found.kind() == kind)
    };
    attributes.filter(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use netlink_packet_generic::GenlMessage;
    use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};

    use super::*;

    /// What is on by a response as the kernel sent it.
    fn captured(bytes: &[u8]) -> Vec<Offload> {
        let message = NetlinkMessage::<GenlMessage<Attributes<Features>>>::deserialize(bytes).unwrap();
        match message.payload {
            NetlinkPayload::InnerMessage(message) => active(&message.payload).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Captured on Linux 6.18: `ip link add type veth`, before and after `ethtool -K veth0 rxvlan off`.
    #[test]
    fn captured_responses_of_the_kernel_show_what_is_on() {
        let with_tags = captured(include_bytes!("../testdata/features-veth.bin"));
        assert_eq!(with_tags, [Offload::CustomerTag, Offload::ServiceTag]);
        let without = captured(include_bytes!("../testdata/features-veth-rxvlan-off.bin"));
        assert_eq!(without, [Offload::ServiceTag]);
    }

    #[test]
    fn the_loopback_interface_takes_off_no_tags_and_a_missing_one_is_an_error() {
        let offloads = Offloads::open()
            .unwrap()
            .expect("this kernel has ethtool over netlink");
        assert_eq!(offloads.active("lo").unwrap(), []);
        let error = offloads.active("no-such-one").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        // The socket goes on.
        assert_eq!(offloads.active("lo").unwrap(), []);
    }
}
