//! Asks the kernel for interfaces in the calling thread: for all, or for single ones by their names or indices.
//!
//! The kernel executes a request of rtnetlink before `send` returns, so the response is there when it is read. A router may
//! have thousands of interfaces: those of a policy are asked for one by one, which takes some microseconds each.

use std::io;

use rtnetlink::{
    packet_core::{DefaultNla, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkAttribute, LinkExtentMask, LinkMessage},
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};

use super::Interface;

/// A socket of rtnetlink.
pub(crate) struct InterfaceQuery(Socket);

impl InterfaceQuery {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The interface that bears this name now.
    pub(crate) fn named(&self, name: &str) -> io::Result<Option<Interface>> {
        let mut message = LinkMessage::default();
        message.attributes.push(name_attribute(name));
        self.ask(message)
    }

    /// The interface that has this index now.
    pub(crate) fn indexed(&self, index: u32) -> io::Result<Option<Interface>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.ask(message)
    }

    /// How many frames the interface of this index has received by its own statistics; `None` if it does not exist.
    pub(crate) fn received(&self, index: u32) -> io::Result<Option<u64>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.send_unmasked(message, NLM_F_REQUEST)?;
        let received = |link: &LinkMessage| {
            let mut attributes = link.attributes.iter();
            attributes.find_map(|attribute| match attribute {
                LinkAttribute::Stats64(statistics) => Some(statistics.rx_packets),
                _ => None,
            })
        };
        match self.receive()?.into_iter().next().map(link) {
            Some(Err(error)) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Some(response) => Ok(received(&response?)),
            None => Err(empty()),
        }
    }

    /// All interfaces. An answer that breaks off is an error: a list that lacks some would be taken for the truth.
    pub(super) fn all(&self) -> io::Result<Vec<Interface>> {
        self.send(LinkMessage::default(), NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut all = Vec::new();
        loop {
            for payload in self.receive()? {
                match payload {
                    NetlinkPayload::Done(_) => return Ok(all),
                    payload => all.extend(read(payload)?),
                }
            }
        }
    }

    fn ask(&self, message: LinkMessage) -> io::Result<Option<Interface>> {
        self.send(message, NLM_F_REQUEST)?;
        match self.receive()?.into_iter().next().map(read) {
            Some(Err(error)) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Some(response) => response,
            None => Err(empty()),
        }
    }

    fn send(&self, mut message: LinkMessage, flags: u16) -> io::Result<()> {
        let mask = vec![LinkExtentMask::SkipStats];
        message.attributes.push(LinkAttribute::ExtMask(mask));
        self.send_unmasked(message, flags)
    }

    fn send_unmasked(&self, message: LinkMessage, flags: u16) -> io::Result<()> {
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(message));
        request.header.flags = flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0).map(drop)
    }

    /// The messages of one datagram.
    fn receive(&self) -> io::Result<Vec<NetlinkPayload<RouteNetlinkMessage>>> {
        let (datagram, _) = self.0.recv_from_full()?;
        let mut payloads = Vec::new();
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::deserialize(rest).map_err(io::Error::other)?;
            // Each message begins at a multiple of four bytes.
            let length = usize::try_from(message.header.length).map_err(io::Error::other)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            payloads.push(message.payload);
        }
        Ok(payloads)
    }
}

/// A name to look up, which may be an alternative one. The kernel takes those that are longer than a first name in another
/// attribute.
fn name_attribute(name: &str) -> LinkAttribute {
    const IFLA_ALT_IFNAME: u16 = 53;
    if name.len() < libc::IFNAMSIZ {
        return LinkAttribute::IfName(name.to_owned());
    }
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    LinkAttribute::Other(DefaultNla::new(IFLA_ALT_IFNAME, text))
}

/// The interface that a response is about, if it names one.
fn read(payload: NetlinkPayload<RouteNetlinkMessage>) -> io::Result<Option<Interface>> {
    Ok(Interface::read(&link(payload)?))
}

/// What a response says of an interface.
fn link(payload: NetlinkPayload<RouteNetlinkMessage>) -> io::Result<LinkMessage> {
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(link),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(io::Error::other(format!(
            "unexpected response of rtnetlink: {other:?}"
        ))),
    }
}

fn empty() -> io::Error {
    io::Error::other("rtnetlink sent an empty response")
}

#[cfg(test)]
mod tests {
    use super::{super::Interfaces, *};

    #[test]
    fn the_loopback_interface_is_found_by_name_and_index_and_no_interface_that_does_not_exist() {
        let query = InterfaceQuery::open().unwrap();
        let found = query.named("lo").unwrap().unwrap();
        assert_eq!(found.name, "lo");
        assert_eq!(query.indexed(found.index).unwrap(), Some(found.clone()));
        assert_eq!(query.named("no-such-one").unwrap(), None);
        // Long enough for an alternative name only, and as long as such a one may be.
        for length in [16, 127] {
            assert_eq!(query.named(&"n".repeat(length)).unwrap(), None);
        }
        assert_eq!(query.indexed(i32::MAX.cast_unsigned()).unwrap(), None);
        assert!(query.received(found.index).unwrap().is_some());
        assert_eq!(query.received(i32::MAX.cast_unsigned()).unwrap(), None);
        let all = Interfaces::list().unwrap();
        assert_eq!(all.with_index(found.index), Some(&found));
        let interfaces = Interfaces::of(["no-such-one", "lo"]).unwrap();
        assert_eq!(interfaces.iter().collect::<Vec<_>>(), [&found]);
    }
}
