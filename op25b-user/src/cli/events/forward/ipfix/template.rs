//! The templates: which information elements a record has, and how long each is (IANA's registry, "IPFIX Information Elements").

/// An information element and the length of its value in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    number: u16,
    length: u16,
}

impl Element {
    const fn new(number: u16, length: u16) -> Self {
        Self { number, length }
    }
}

/// What the records of a set have.
#[derive(Debug)]
pub(super) struct Template {
    /// Its number, which is the id of sets of its records.
    pub(super) id: u16,
    /// The elements in the order of a record.
    elements: &'static [Element],
    /// How many of the first ones are a scope: those of an options template.
    scopes: Option<u16>,
}

/// `flowStartMilliseconds`, `flowEndMilliseconds`.
const START: Element = Element::new(152, 8);
const END: Element = Element::new(153, 8);
/// `ingressInterface`, the index of the interface.
const INTERFACE: Element = Element::new(10, 4);
/// `protocolIdentifier`.
const PROTOCOL: Element = Element::new(4, 1);
/// `sourceTransportPort`, `destinationTransportPort`.
const SOURCE_PORT: Element = Element::new(7, 2);
const DESTINATION_PORT: Element = Element::new(11, 2);
/// `tcpControlBits`.
const FLAGS: Element = Element::new(6, 2);
/// `packetDeltaCount`.
const PACKETS: Element = Element::new(2, 8);
/// `layer2OctetDeltaCount`: the length of frames, which is what the program knows.
const OCTETS: Element = Element::new(352, 8);
/// `vlanId`, of the outer tag.
const VLAN: Element = Element::new(58, 2);
/// `forwardingStatus` (RFC 7270).
const STATUS: Element = Element::new(89, 1);
/// `firewallEvent`.
const FIREWALL: Element = Element::new(233, 1);
/// `selectorId`.
const SELECTOR: Element = Element::new(302, 8);
/// `selectorIdTotalPktsObserved`, `selectorIdTotalPktsSelected` (RFC 5477).
const OBSERVED: Element = Element::new(318, 8);
const SELECTED: Element = Element::new(319, 8);

/// A packet over IPv4: `sourceIPv4Address`, `destinationIPv4Address`, `destinationIPv4PrefixLength`.
pub(super) const IPV4: Template = Template {
    id: 256,
    elements: &packet([Element::new(8, 4), Element::new(12, 4), Element::new(13, 1)]),
    scopes: None,
};

/// A packet over IPv6: `sourceIPv6Address`, `destinationIPv6Address`, `destinationIPv6PrefixLength`.
pub(super) const IPV6: Template = Template {
    id: 257,
    elements: &packet([Element::new(27, 16), Element::new(28, 16), Element::new(30, 1)]),
    scopes: None,
};

/// The elements of a packet between these addresses.
const fn packet([source, destination, prefix_length]: [Element; 3]) -> [Element; 15] {
    [
        START,
        END,
        INTERFACE,
        source,
        destination,
        prefix_length,
        PROTOCOL,
        SOURCE_PORT,
        DESTINATION_PORT,
        FLAGS,
        PACKETS,
        OCTETS,
        VLAN,
        STATUS,
        FIREWALL,
    ]
}

/// How many packets there were, and of how many there is a record.
pub(super) const SAMPLING: Template = Template {
    id: 258,
    elements: &[SELECTOR, OBSERVED, SELECTED],
    scopes: Some(1),
};

impl Template {
    /// The length of a record in bytes.
    pub(super) fn record_length(&self) -> usize {
        let lengths = self.elements.iter().map(|element| usize::from(element.length));
        lengths.sum()
    }

    /// The id of the set that defines it (RFC 7011, 3.3.2).
    pub(super) fn set_id(&self) -> u16 {
        if self.scopes.is_some() { 3 } else { 2 }
    }

    /// Its definition (RFC 7011, 3.4.1 and 3.4.2).
    pub(super) fn definition(&self) -> Vec<u8> {
        let count = u16::try_from(self.elements.len()).unwrap_or(u16::MAX);
        let mut words = vec![self.id, count];
        words.extend(self.scopes);
        for element in self.elements {
            words.extend([element.number, element.length]);
        }
        words.into_iter().flat_map(u16::to_be_bytes).collect()
    }
}
