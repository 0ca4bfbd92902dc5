//! The network interfaces of this network namespace, and the XDP programs on them.

use std::io;

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::link::{LinkAttribute, LinkLayerType, LinkMessage, LinkXdp};
use thiserror::Error;

/// One XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAttachment {
    /// `native`, `generic` or `offloaded`: the words of the policy's `xdp:` where it has them.
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
    /// There is no netlink socket to be had.
    Socket(#[from] io::Error),
    /// The kernel did not answer.
    Answer(#[from] rtnetlink::Error),
}

/// All interfaces at one moment.
#[derive(Clone, Debug, Default)]
pub struct Interfaces(Vec<Interface>);

impl Interfaces {
    /// Asks the kernel.
    ///
    /// # Errors
    ///
    /// The netlink socket's error.
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
