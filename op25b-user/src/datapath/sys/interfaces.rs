//! Lists the interfaces of this network namespace with the XDP programs on them, and reports when they change (rtnetlink).

use std::{fmt, io};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkAttribute, LinkLayerType, LinkMessage, LinkXdp},
    },
};
use thiserror::Error;
use tokio::task::JoinHandle;

/// One XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAttachment {
    /// `native`, `generic` or `offloaded`, as in the policy's `xdp:`.
    pub mode: &'static str,
    /// The program's id in the kernel.
    pub program_id: u32,
}

/// An interface, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Whether its frames begin with an Ethernet header.
    pub is_ethernet: bool,
    /// The XDP programs on it; empty for most.
    pub xdp: Vec<XdpAttachment>,
}

/// Why the interfaces could not be listed.
#[derive(Debug, Error)]
#[error("cannot list the network interfaces")]
pub enum InterfacesError {
    /// No netlink socket can be opened.
    Socket(#[from] io::Error),
    /// The kernel did not answer.
    Answer(#[from] rtnetlink::Error),
}

/// All interfaces at one moment.
#[derive(Clone, Debug, Default)]
pub struct Interfaces(Vec<Interface>);

impl Interfaces {
    /// Lists them.
    pub async fn list() -> Result<Self, InterfacesError> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let connection = tokio::spawn(connection);
        let links = handle.link().get().execute().try_collect::<Vec<_>>().await;
        connection.abort();
        Ok(Self(links?.iter().filter_map(interface).collect()))
    }

    /// The interface of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.0.iter().find(|interface| interface.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.0.iter()
    }
}

/// Reports changes of interfaces.
pub struct InterfaceEvents {
    names: BoxStream<'static, String>,
    connection: JoinHandle<()>,
}

impl fmt::Debug for InterfaceEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterfaceEvents").finish_non_exhaustive()
    }
}

impl InterfaceEvents {
    /// Listens from now on.
    pub fn listen() -> Result<Self, InterfacesError> {
        let (connection, _, messages) = rtnetlink::new_multicast_connection(&[MulticastGroup::Link])?;
        let names = messages.filter_map(|(message, _)| async {
            match message.payload {
                NetlinkPayload::InnerMessage(
                    RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link),
                ) => interface(&link).map(|interface| interface.name),
                _ => None,
            }
        });
        Ok(Self {
            names: names.boxed(),
            connection: tokio::spawn(connection),
        })
    }

    /// The name of the next interface that appears, disappears or changes. Of very many at once some are lost.
    pub async fn next(&mut self) -> String {
        match self.names.next().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }
}

impl Drop for InterfaceEvents {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn interface(message: &LinkMessage) -> Option<Interface> {
    let mut name = None;
    let mut xdp = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Xdp(attributes) => xdp = attachments(attributes),
            _ => {}
        }
    }
    Some(Interface {
        name: name?,
        index: message.header.index,
        is_ethernet: matches!(
            message.header.link_layer_type,
            LinkLayerType::Ether | LinkLayerType::Loopback
        ),
        xdp,
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
