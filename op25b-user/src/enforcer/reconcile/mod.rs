//! Reconciling the interfaces with the policy: attaching to those that appear, and putting back what somebody takes away.

mod back_off;

use std::{collections::BTreeMap, time::Instant};

use tracing::{error, info, warn};

use self::back_off::Watched;
use super::state::{Enforcer, targets};
use crate::datapath::{Interfaces, LinkState, Target};

/// What is remembered of the interfaces of the policy.
#[derive(Debug, Default)]
pub(super) struct Reconcile(BTreeMap<String, Watched>);

/// Whether the filter runs on one interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceHealth {
    /// Its name.
    pub(crate) name: String,
    /// Whether the filter runs there.
    pub(crate) state: InterfaceState,
    /// How often somebody else has detached or replaced the filter.
    pub(crate) interferences: u64,
}

/// Whether the filter runs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InterfaceState {
    /// It does.
    Enforced,
    /// There is no such interface.
    Missing,
    /// Somebody else has taken it away.
    Lost,
}

impl Enforcer {
    /// Whether an interface is one of the policy's.
    pub(crate) fn has_interface(&self, interface: &str) -> bool {
        let mut interfaces = self.policy().interfaces.iter();
        interfaces.any(|ours| ours.name == interface)
    }

    /// Looks at every interface of the policy, and attaches where the filter should run and does not.
    pub(crate) async fn reconcile(&mut self) {
        let targets = targets(self.policy());
        self.reconcile
            .0
            .retain(|name, _| targets.iter().any(|target| target.interface == *name));
        let mut interfaces = None;
        for target in &targets {
            let standing = match self.datapath.link_state(&target.interface) {
                Ok(standing) => standing,
                Err(error) => {
                    error!(interface = target.interface, %error, "cannot tell whether the filter runs");
                    continue;
                }
            };
            let index = match standing {
                LinkState::Runs => {
                    self.watched(target).runs(Instant::now());
                    continue;
                }
                LinkState::Unpinned => {
                    warn!(
                        interface = target.interface,
                        "somebody has removed the link's pin: pinning it again"
                    );
                    if let Err(error) = self.datapath.repin(&target.interface) {
                        error!(interface = target.interface, "{:#}", anyhow::Error::from(error));
                    }
                    continue;
                }
                LinkState::Replaced { program_id } => {
                    self.put_back(target, program_id);
                    continue;
                }
                LinkState::Detached { index } => Some(index),
                LinkState::Absent => None,
            };
            // Asked only if something is amiss: a router may have thousands.
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
                self.attach_again(target, index, interfaces);
            }
        }
    }

    fn watched(&mut self, target: &Target) -> &mut Watched {
        self.reconcile.0.entry(target.interface.clone()).or_default()
    }

    /// Somebody has put another program on the filter's own link.
    fn put_back(&mut self, target: &Target, program_id: u32) {
        let interface = &target.interface;
        let watched = self.watched(target);
        if !watched.is_away() {
            watched.interferences += 1;
            error!(
                interface,
                program_id, "SOMEBODY HAS REPLACED THE FILTER by another program"
            );
        }
        if watched.may_try(Instant::now()) {
            match self.datapath.restore(interface) {
                Ok(()) => warn!(interface, "the filter is put back"),
                Err(error) => error!(interface, "{:#}", anyhow::Error::from(error)),
            }
        }
    }

    /// The filter does not run on an interface; `index` is that of the one on which it did.
    fn attach_again(&mut self, target: &Target, index: Option<u32>, interfaces: &Interfaces) {
        let interface = &target.interface;
        let Some(found) = interfaces.named(interface) else {
            let watched = self.watched(target);
            if !watched.is_missing {
                watched.is_missing = true;
                warn!(interface, "the interface is not there: waiting for it");
            }
            return;
        };
        let other = found.xdp.first().map(|other| other.program_id);
        let watched = self.watched(target);
        let is_interference = index == Some(found.index) || other.is_some();
        if is_interference {
            if !watched.is_away() {
                watched.interferences += 1;
                error!(
                    interface,
                    other_program_id = other,
                    "SOMEBODY HAS DETACHED THE FILTER"
                );
            }
            if !watched.may_try(Instant::now()) {
                return;
            }
        }
        match self.datapath.reattach(interfaces, target) {
            Ok(()) => {
                info!(interface, ifindex = found.index, "attached again");
                self.watched(target).runs(Instant::now());
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                error!(interface, "cannot attach to it again: {error:#}");
                // As if somebody had: not every second.
                self.watched(target).may_try(Instant::now());
            }
        }
    }

    /// Whether the filter runs on each interface of the policy.
    pub(crate) fn interface_health(&self) -> Vec<InterfaceHealth> {
        let interfaces = self.policy().interfaces.iter();
        interfaces
            .map(|interface| {
                let watched = self.reconcile.0.get(&interface.name);
                let state = match self.datapath.link_state(&interface.name) {
                    Ok(LinkState::Runs | LinkState::Unpinned) => InterfaceState::Enforced,
                    _ if watched.is_some_and(Watched::is_away) => InterfaceState::Lost,
                    _ => InterfaceState::Missing,
                };
                InterfaceHealth {
                    name: interface.name.clone(),
                    state,
                    interferences: watched.map_or(0, |watched| watched.interferences),
                }
            })
            .collect()
    }
}
