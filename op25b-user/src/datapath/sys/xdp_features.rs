//! Asks the kernel whether the driver of an interface runs XDP programs as it is configured now (`netdev` of generic netlink,
//! since Linux 6.3; `linux/netdev.h`).

use std::io;

use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    ctrl::{GenlCtrl, GenlCtrlCmd, nlas::GenlCtrlAttrs},
};
use rtnetlink::{
    packet_core::{
        DecodeError, DefaultNla, Emitable, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage,
        NetlinkPayload, NetlinkSerializable, Nla as _, NlasIterator, Parseable as _, ParseableParametrized,
        parse_u64,
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC},
};

const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// The driver runs programs that pass, drop or send back a packet.
const NETDEV_XDP_ACT_BASIC: u64 = 1;

/// A message about a network device.
#[derive(Debug)]
struct Netdev(Vec<DefaultNla>);

impl GenlFamily for Netdev {
    fn family_name() -> &'static str {
        "netdev"
    }

    fn command(&self) -> u8 {
        NETDEV_CMD_DEV_GET
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Netdev {
    fn buffer_len(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Netdev {
    fn parse_with_param(bytes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?));
        Ok(Self(attributes.collect::<Result<_, _>>()?))
    }
}

/// Asks about interfaces of the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct XdpFeatures {
    socket: Socket,
    family: u16,
}

impl XdpFeatures {
    /// Opens a socket; `None` if this kernel does not tell.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(family(&socket)?.map(|family| Self { socket, family }))
    }

    /// Whether the driver of the interface of this index runs XDP programs as the interface is configured now.
    pub(crate) fn has_native_mode(&self, index: u32) -> io::Result<bool> {
        let index = DefaultNla::new(NETDEV_A_DEV_IFINDEX, index.to_ne_bytes().to_vec());
        let mut request = GenlMessage::from_payload(Netdev(vec![index]));
        request.set_resolved_family_id(self.family);
        let answer = ask(&self.socket, request)?;
        let features = answer
            .payload
            .0
            .iter()
            .find(|attribute| attribute.kind() == NETDEV_A_DEV_XDP_FEATURES)
            .ok_or_else(|| io::Error::other("the kernel does not report XDP features"))?;
        let mut bytes = vec![0; features.value_len()];
        features.emit_value(&mut bytes);
        let features = parse_u64(&bytes).map_err(io::Error::other)?;
        Ok(features & NETDEV_XDP_ACT_BASIC != 0)
    }
}

/// The number of the family; `None` if the kernel does not have it.
fn family(socket: &Socket) -> io::Result<Option<u16>> {
    let request = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(Netdev::family_name().to_owned())],
    });
    let answer = match ask(socket, request) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        answer => answer?,
    };
    let mut attributes = answer.payload.nlas.into_iter();
    Ok(attributes.find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(id),
        _ => None,
    }))
}

/// Sends a request and returns the response, which the kernel writes before the request returns.
fn ask<F>(socket: &Socket, request: GenlMessage<F>) -> io::Result<GenlMessage<F>>
where
    GenlMessage<F>: NetlinkSerializable + NetlinkDeserializable,
    NetlinkPayload<GenlMessage<F>>: From<GenlMessage<F>>,
{
    let mut request = NetlinkMessage::from(request);
    request.header.flags = NLM_F_REQUEST;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    match NetlinkMessage::deserialize(&answer)
        .map_err(io::Error::other)?
        .payload
    {
        NetlinkPayload::InnerMessage(message) => Ok(message),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::Error::other("unexpected response of generic netlink")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_no_native_mode_and_a_missing_one_is_an_error() {
        let Some(features) = XdpFeatures::open().unwrap() else {
            return;
        };
        assert!(!features.has_native_mode(1).unwrap());
        let error = features.has_native_mode(i32::MAX.cast_unsigned()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        // The socket goes on.
        assert!(!features.has_native_mode(1).unwrap());
    }
}
