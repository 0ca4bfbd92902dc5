//! Reports when interfaces change.

use std::fmt;

use futures_util::{StreamExt as _, stream::BoxStream};
use rtnetlink::{MulticastGroup, packet_core::NetlinkPayload, packet_route::RouteNetlinkMessage};
use tokio::task::JoinHandle;

use super::{Interface, InterfacesError};

/// Reports changes of interfaces.
pub struct InterfaceEvents {
    changed: BoxStream<'static, Interface>,
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
        let changed = messages.filter_map(|(message, _)| async {
            match message.payload {
                NetlinkPayload::InnerMessage(
                    RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link),
                ) => Interface::read(&link),
                _ => None,
            }
        });
        Ok(Self {
            changed: changed.boxed(),
            connection: tokio::spawn(connection),
        })
    }

    /// The next interface that appears, disappears or changes, as the report describes it. Of very many at once some are
    /// lost.
    pub async fn next(&mut self) -> Interface {
        match self.changed.next().await {
            Some(interface) => interface,
            None => std::future::pending().await,
        }
    }
}

impl Drop for InterfaceEvents {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
