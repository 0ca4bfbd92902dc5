//! Reconciling the interfaces with the policy: attaching to those that appear, and restoring what another process removed.

pub(super) mod history;
mod ports;

use std::time::Instant;

use tracing::{error, info, warn};

use self::history::LinkHistory;
use super::state::{Enforcer, targets};
use crate::datapath::{Interface, Interfaces, LinkState, Target};

/// Whether the filter runs on one interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceHealth {
    /// Its name.
    pub(crate) name: String,
    /// Whether the filter runs there.
    pub(crate) state: InterfaceState,
    /// How often another process has detached or replaced the filter.
    pub(crate) interferences: u64,
}

/// Whether the filter runs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InterfaceState {
    /// It runs.
    Enforced,
    /// There is no such interface.
    Missing,
    /// Another process has detached or replaced it.
    Lost,
}

impl Enforcer {
    /// Whether the policy names this interface.
    pub(crate) fn has_interface(&self, interface: &Interface) -> bool {
        let mut interfaces = self.policy().interfaces.iter();
        interfaces.any(|ours| interface.is_named(&ours.name))
    }

    /// Examines every interface of the policy, and attaches the filter where it should run and does not.
    pub(crate) async fn reconcile(&mut self) {
        self.repair_pins();
        let targets = targets(self.policy());
        self.link_histories
            .retain(|name, _| targets.iter().any(|target| target.interface == *name));
        let mut interfaces = None;
        for target in &targets {
            let state = match self.datapath.link_state(&target.interface) {
                Ok(state) => state,
                Err(error) => {
                    error!(interface = target.interface, %error, "cannot determine whether the filter is attached");
                    continue;
                }
            };
            let index = match state {
                // Without a pin it was reported before.
                LinkState::Runs | LinkState::Unpinned => {
                    self.history(target).note_running(Instant::now());
                    continue;
                }
                LinkState::Replaced { program_id } => {
                    self.restore(target, program_id);
                    continue;
                }
                LinkState::Detached { index } => Some(index),
                LinkState::Absent => None,
            };
            // Listed only if something is wrong: a router may have thousands.
            if interfaces.is_none() {
                interfaces = match Interfaces::list().await {
                    Ok(list) => Some(list),
                    Err(error) => {
                        error!("{:#}", anyhow::Error::from(error));
                        return;
                    }
                };
            }
            if let Some(interfaces) = &interfaces {
                self.reattach(target, index, interfaces);
            }
        }
        match &interfaces {
            Some(interfaces) => self.follow_ports(interfaces),
            None => self.follow_ports_in_turn().await,
        }
    }

    fn history(&mut self, target: &Target) -> &mut LinkHistory {
        self.link_histories.entry(target.interface.clone()).or_default()
    }

    /// Restores the filter on its own link, on which another program was put.
    fn restore(&mut self, target: &Target, program_id: u32) {
        let interface = &target.interface;
        let history = self.history(target);
        if !history.is_lost() {
            history.interferences += 1;
            error!(
                interface,
                program_id, "THE FILTER WAS REPLACED by another program"
            );
        }
        if history.may_try(Instant::now()) {
            match self.datapath.restore(interface) {
                Ok(()) => warn!(interface, "the filter is restored"),
                Err(error) => error!(interface, "{:#}", anyhow::Error::from(error)),
            }
        }
    }

    /// Attaches the filter to an interface on which it does not run; `index` is that of the interface on which it did.
    fn reattach(&mut self, target: &Target, index: Option<u32>, interfaces: &Interfaces) {
        let interface = &target.interface;
        let Some(found) = interfaces.named(interface) else {
            let history = self.history(target);
            if !history.is_missing {
                history.is_missing = true;
                warn!(interface, "the interface does not exist: waiting for it");
            }
            return;
        };
        let other = found.xdp.first().map(|other| other.program_id);
        let history = self.history(target);
        let is_interference = index == Some(found.index) || other.is_some();
        if is_interference {
            if !history.is_lost() {
                history.interferences += 1;
                error!(interface, other_program_id = other, "THE FILTER WAS DETACHED");
            }
            if !history.may_try(Instant::now()) {
                return;
            }
        }
        match self.datapath.reattach(interfaces, target) {
            Ok(()) => {
                info!(interface, ifindex = found.index, "reattached");
                self.history(target).note_running(Instant::now());
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                error!(interface, "cannot reattach: {error:#}");
                // Retried with the same delays, not every second.
                self.history(target).may_try(Instant::now());
            }
        }
    }

    /// Whether the filter runs on each interface of the policy.
    pub(crate) fn interface_health(&self) -> Vec<InterfaceHealth> {
        let interfaces = self.policy().interfaces.iter();
        interfaces
            .map(|interface| {
                let history = self.link_histories.get(&interface.name);
                let state = match self.datapath.link_state(&interface.name) {
                    Ok(LinkState::Runs | LinkState::Unpinned) => InterfaceState::Enforced,
                    _ if history.is_some_and(LinkHistory::is_lost) => InterfaceState::Lost,
                    _ => InterfaceState::Missing,
                };
                InterfaceHealth {
                    name: interface.name.clone(),
                    state,
                    interferences: history.map_or(0, |history| history.interferences),
                }
            })
            .collect()
    }
}
