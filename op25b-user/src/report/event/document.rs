//! The document of an event, and how it is made of what the program wrote and of the policy of its generation.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{
    Reason, Tunnel, Verdict,
    event::{NO_VLAN, PacketEvent},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{self, TcpFlags};
use crate::{
    policy::{EventDestination, Policy, Role},
    report::net_text,
};

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number. The numbers ascend, also from one start of the daemon to the next.
    pub sequence: u64,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The interface that it came in on.
    pub interface: String,
    /// The role of that: on an `uplink` interface the subscriber is the destination.
    #[serde(with = "words::named")]
    #[schema(value_type = String, pattern = "^(subscriber|uplink)$")]
    pub role: Role,
    /// What happened to it: `pass`, `drop` or `reject`.
    #[serde(with = "words::named")]
    #[schema(value_type = String, pattern = "^(pass|drop|reject)$")]
    pub verdict: Verdict,
    /// Why, in a word of the verdict table.
    #[serde(with = "words::named")]
    #[schema(value_type = String)]
    pub reason: Reason,
    /// The pool of the subscriber.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The source address that decided; on an uplink interface as much of it as the policy lets be seen. None if it cannot be read.
    #[serde(default, with = "net_text::optional", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "198.51.100.20")]
    pub source: Option<IpNet>,
    /// The TCP source port, if it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// As much of the destination address as the policy lets be seen, on an uplink interface all of it: an address or a prefix.
    #[serde(default, with = "net_text::optional", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "203.0.113.0/24")]
    pub destination: Option<IpNet>,
    /// As much of the IPv4 address that a translator of the policy's `nat64` sends it to.
    #[serde(default, with = "net_text::optional", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "203.0.113.0/24")]
    pub nat64: Option<IpNet>,
    /// The TCP destination port, if it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// The TCP flags, if they can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<TcpFlags>,
    /// The VLAN ids of its first two tags, the outer one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<u16>,
    /// The id of its `PPPoE` session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pppoe_session: Option<u16>,
    /// The kinds of tunnels that it was in, as in the policy; several for one tunnel if the headers do not show which of them it is.
    #[serde(default, with = "words::all_named", skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tunnels: Vec<Tunnel>,
    /// The length of its frame in bytes.
    pub length: u32,
    /// Whether it is the first packet of its subscriber that is recorded.
    pub first: bool,
}

/// What an event is made with besides what the program wrote.
pub(crate) struct Made<'a> {
    /// Its number.
    pub(crate) sequence: u64,
    /// The policy of the generation.
    pub(crate) policy: &'a Policy,
    /// How much is seen of the other end.
    pub(crate) destination: EventDestination,
    /// The name of the interface.
    pub(crate) interface: String,
    /// Nanoseconds to add to the boot-time clock to get the Unix time.
    pub(crate) boot_to_unix: i64,
}

impl Event {
    /// The document of what a program wrote; `None` for a number that it cannot have written.
    pub(crate) fn of(packet: &PacketEvent, made: Made<'_>) -> Option<Self> {
        let Made {
            sequence,
            policy,
            destination: seen,
            interface,
            boot_to_unix,
        } = made;
        let time = i128::from(packet.time) + i128::from(boot_to_unix);
        let role = if packet.has(PacketEvent::IS_FROM_UPLINK) {
            Role::Uplink
        } else {
            Role::Subscriber
        };
        let ends = packet
            .has(PacketEvent::HAS_ADDRESSES)
            .then(|| [packet.source, packet.destination].map(address));
        // The other end is what the policy lets be seen less of: the subscriber is shown.
        let near = |address| Some(IpNet::from(address));
        let far = |address| cut(address, seen);
        let [source, destination] = match (ends, role) {
            (None, _) => [None, None],
            (Some([source, destination]), Role::Subscriber) => [near(source), far(destination)],
            (Some([source, destination]), Role::Uplink) => [far(source), near(destination)],
        };
        let [source_port, destination_port] = [packet.source_port, packet.destination_port]
            .map(|port| packet.has(PacketEvent::HAS_PORTS).then_some(port));
        let translated = ends.and_then(|[_, destination]| policy.nat64.extract(destination));
        let tunnels = Tunnel::ALL.into_iter();
        Some(Self {
            sequence,
            time: Timestamp::from_microsecond(i64::try_from(time / 1000).ok()?).ok()?,
            interface,
            role,
            verdict: Verdict::from_u32(packet.verdict.into())?,
            reason: Reason::from_u32(packet.reason.into())?,
            pool: usize::try_from(packet.pool)
                .ok()
                .and_then(|pool| policy.pools.get(pool))
                .map(|pool| pool.name.clone()),
            source,
            source_port,
            destination,
            nat64: translated.and_then(|address| cut(address.into(), seen)),
            destination_port,
            flags: packet
                .has(PacketEvent::HAS_FLAGS)
                .then_some(TcpFlags(packet.tcp_flags)),
            vlans: packet.vlans.into_iter().filter(|id| *id != NO_VLAN).collect(),
            pppoe_session: (packet.pppoe_session != 0).then_some(packet.pppoe_session),
            tunnels: tunnels
                .filter(|tunnel| packet.tunnels & tunnel.bit() != 0)
                .collect(),
            length: packet.length,
            first: packet.has(PacketEvent::IS_FIRST),
        })
    }

    /// The address of the subscriber, if it can be read.
    pub(crate) fn subscriber(&self) -> Option<IpAddr> {
        let net = match self.role {
            Role::Subscriber => self.source,
            Role::Uplink => self.destination,
        };
        net.map(|net| net.addr())
    }
}

/// An address as the program writes it.
fn address(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}

/// As much of an address as is to be seen.
fn cut(address: IpAddr, seen: EventDestination) -> Option<IpNet> {
    match seen {
        EventDestination::Full => Some(address.into()),
        EventDestination::Prefix => {
            let length = if address.is_ipv4() { 24 } else { 48 };
            IpNet::new(address, length).ok().map(|net| net.trunc())
        }
        EventDestination::None => None,
    }
}
