//! Following the ports of the interfaces on which the filter runs.

use std::time::{Duration, Instant};

use tracing::{error, info};

use crate::{
    datapath::{InterfaceEvent, Interfaces},
    enforcer::state::Enforcer,
};

/// How often the ports are listed without a report of a change, as reports may be lost.
const INTERVAL: Duration = Duration::from_secs(30);

impl Enforcer {
    /// Follows the ports after an event.
    pub(crate) fn follow_port(&mut self, event: &InterfaceEvent) {
        let may_be_port = match event {
            InterfaceEvent::Changed(interface) => self.datapath.may_be_port(interface),
            InterfaceEvent::Lost => self.datapath.depends_on_ports(),
        };
        if may_be_port {
            self.list_ports();
        }
    }

    /// Follows the ports if they have not been listed for a while.
    pub(super) fn follow_ports_in_turn(&mut self) {
        if self.datapath.depends_on_ports() && self.ports_listed_at.elapsed() >= INTERVAL {
            self.list_ports();
        }
    }

    fn list_ports(&mut self) {
        match Interfaces::list() {
            Ok(interfaces) => self.follow_ports(&interfaces),
            Err(error) => error!("{:#}", anyhow::Error::from(error)),
        }
    }

    /// Follows the ports in a list of all interfaces. Where that fails, the program filters inside all tunnels of the policy.
    pub(in crate::enforcer) fn follow_ports(&mut self, interfaces: &Interfaces) {
        self.ports_listed_at = Instant::now();
        match self.datapath.follow_ports(interfaces) {
            Ok(false) => {}
            Ok(true) => info!("the tunnels of interfaces apply to their present ports"),
            Err(error) => error!(
                "the tunnels of interfaces do not apply to their present ports: {:#}",
                anyhow::Error::from(error)
            ),
        }
    }
}
