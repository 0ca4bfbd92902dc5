//! Reports when interfaces change.

use std::{fmt, time::Duration};

use futures_util::{StreamExt as _, stream::BoxStream};
use rtnetlink::{MulticastGroup, packet_core::NetlinkPayload, packet_route::RouteNetlinkMessage};
use tokio::task::JoinHandle;

use super::{Interface, InterfacesError};

/// How long after a failure of its socket [`InterfaceEvents`] opens another.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// A change of the interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceEvent {
    /// One has appeared, disappeared or changed. It is as the report describes it: a renamed one has its new name.
    Changed(Interface),
    /// Any may have changed: there were more reports than the kernel keeps.
    Lost,
}

/// Reports changes of interfaces.
pub struct InterfaceEvents {
    events: BoxStream<'static, InterfaceEvent>,
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
        let events = messages.filter_map(|(message, _)| async { event(message.payload) });
        Ok(Self {
            events: events.boxed(),
            connection: tokio::spawn(connection),
        })
    }

    /// The next event. Cancellation loses none.
    pub async fn next(&mut self) -> InterfaceEvent {
        if let Some(event) = self.events.next().await {
            return event;
        }
        // The socket has failed. Meanwhile there are no events.
        tokio::time::sleep(LISTEN_AGAIN).await;
        if let Ok(again) = Self::listen() {
            *self = again;
        }
        InterfaceEvent::Lost
    }
}

fn event(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<InterfaceEvent> {
    match payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link),
        ) => Interface::read(&link).map(InterfaceEvent::Changed),
        // The connection reports ENOBUFS as this.
        NetlinkPayload::Overrun(_) => Some(InterfaceEvent::Lost),
        _ => None,
    }
}

impl Drop for InterfaceEvents {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
