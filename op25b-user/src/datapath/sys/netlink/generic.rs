//! Asks a family of generic netlink in the calling thread, of whose network namespace the answers are.

use std::{fmt, io, marker::PhantomData};

use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    ctrl::{GenlCtrl, GenlCtrlCmd, nlas::GenlCtrlAttrs},
};
use rtnetlink::{
    packet_core::{
        DecodeError, DefaultNla, Emitable, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage,
        NetlinkPayload, NetlinkSerializable, NlasIterator, Parseable as _, ParseableParametrized,
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC},
};

/// A family, and the command that is asked of it.
pub(super) trait Question: fmt::Debug {
    /// The name of the family.
    const FAMILY: &'static str;
    /// The number of the command.
    const COMMAND: u8;
}

/// The attributes of a request or a response.
#[derive(Debug)]
pub(super) struct Attributes<Q>(pub(super) Vec<DefaultNla>, PhantomData<Q>);

impl<Q: Question> GenlFamily for Attributes<Q> {
    fn family_name() -> &'static str {
        Q::FAMILY
    }

    fn command(&self) -> u8 {
        Q::COMMAND
    }

    fn version(&self) -> u8 {
        1
    }
}

impl<Q> Emitable for Attributes<Q> {
    fn buffer_len(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }
}

impl<Q> ParseableParametrized<[u8], GenlHeader> for Attributes<Q> {
    fn parse_with_param(bytes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?));
        Ok(Self(attributes.collect::<Result<_, _>>()?, PhantomData))
    }
}

/// A socket for questions of one kind.
#[derive(Debug)]
pub(super) struct GenericNetlink<Q> {
    socket: Socket,
    family: u16,
    question: PhantomData<Q>,
}

impl<Q: Question> GenericNetlink<Q> {
    /// Opens a socket; `None` if this kernel does not have the family.
    pub(super) fn open() -> io::Result<Option<Self>> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let family = family(&socket, Q::FAMILY)?;
        Ok(family.map(|family| Self {
            socket,
            family,
            question: PhantomData,
        }))
    }

    /// Sends a request and returns the attributes of the response.
    pub(super) fn ask(&self, attributes: Vec<DefaultNla>) -> io::Result<Attributes<Q>> {
        let mut request = GenlMessage::from_payload(Attributes::<Q>(attributes, PhantomData));
        request.set_resolved_family_id(self.family);
        Ok(ask(&self.socket, request)?.payload)
    }
}

/// The number of a family; `None` if the kernel does not have it.
fn family(socket: &Socket, name: &str) -> io::Result<Option<u16>> {
    let request = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(name.to_owned())],
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
