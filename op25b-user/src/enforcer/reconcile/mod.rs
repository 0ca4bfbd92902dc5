//! Reconciling the interfaces with the policy: attaching to those that appear, and restoring what another process removed.
//!
//! The kernel is asked each time which interface bears which name and which program runs there; nothing is inferred from an
//! attachment that succeeded before.

pub(super) mod history;
pub(super) mod native;
mod native_retry;
mod ports;
pub(super) mod repeats;
pub(super) mod settings;

use std::time::Instant;

use tracing::{error, info, warn};

use self::history::LinkHistory;
use super::state::Enforcer;
use crate::{
    datapath::{
        AttachError, Followed, Interface, InterfaceEvent, Interfaces, LinkState, ReplaceError, Skipped,
        Target,
    },
    policy::Wait,
};

/// What is known of one interface of the policy besides what the kernel reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceHealth {
    /// Its name.
    pub(crate) name: String,
    /// The program that is to run there; none if no filter is loaded.
    pub(crate) program_id: Option<u32>,
    /// Whether another process has detached or replaced the filter.
    pub(crate) is_lost: bool,
    /// How often another process has.
    pub(crate) interferences: u64,
    /// Why the filter did not run there when that was examined last.
    pub(crate) trouble: Option<String>,
    /// Why it runs in generic mode although native mode was tried first, if it does.
    pub(crate) native_refused: Option<String>,
    /// Which of its settings disagree with the filter.
    pub(crate) warnings: Vec<String>,
}

/// Why no interface bears a name of the policy.
enum Missing<'w> {
    /// There is none that the filter runs on; why attaching was refused, if it was tried.
    Nowhere(Option<&'w AttachError>),
    /// The one that did is still filtered: its name now, unless it is in another network namespace.
    Elsewhere(Option<String>),
}

impl Enforcer {
    /// Whether an event may be about an interface of the policy, or about one that the filter runs on: one that was renamed
    /// is reported under its new name.
    pub(crate) fn is_concerned(&self, event: &InterfaceEvent) -> bool {
        match event {
            InterfaceEvent::Changed(interface) => {
                let mut interfaces = self.policy().interfaces.iter();
                interfaces.any(|ours| interface.is_named(&ours.name))
                    || self.datapath.has_index(interface.index)
            }
            InterfaceEvent::Lost => true,
        }
    }

    /// Examines every interface of the policy, and attaches the filter where it should run and does not.
    pub(crate) fn reconcile(&mut self) {
        self.repair_pins();
        let now = Instant::now();
        let targets = Target::all_of(self.policy());
        self.link_histories
            .retain(|name, _| targets.iter().any(|target| target.interface == *name));
        let names = targets.iter().map(|target| target.interface.as_str());
        let interfaces = match Interfaces::of(names) {
            Ok(interfaces) => interfaces,
            Err(error) => {
                let message = format!("cannot examine the network interfaces: {error}");
                if self.reconcile_troubles.is_due(&message, now) {
                    error!("{message}");
                }
                return;
            }
        };
        match self.datapath.follow_names(&interfaces, &targets) {
            Ok(followed) => {
                self.reconcile_troubles.end();
                log_followed(followed);
            }
            Err(error) => {
                let message = format!("{:#}", anyhow::Error::from(error));
                if self.reconcile_troubles.is_due(&message, now) {
                    error!("{message}");
                }
            }
        }
        for target in &targets {
            self.reconcile_one(target, &targets, &interfaces, now);
        }
        self.retry_native(&targets, &interfaces, now);
        self.examine_settings_in_turn(&interfaces);
        self.follow_ports_in_turn();
    }

    fn reconcile_one(&mut self, target: &Target, targets: &[Target], interfaces: &Interfaces, now: Instant) {
        let interface = &target.interface;
        let found = interfaces.named(interface);
        let state = match self.datapath.link_state(interface, found) {
            Ok(state) => state,
            Err(error) => {
                let message = format!("cannot determine whether the filter is attached: {error}");
                self.log_trouble(interface, &message, now);
                return;
            }
        };
        match (state, found) {
            (LinkState::Runs, _) => self.history(interface).note_running(now),
            (LinkState::Replaced { program_id }, _) => self.restore(interface, program_id, now),
            (LinkState::Elsewhere { name }, None) => {
                self.datapath.prepare();
                self.note_missing(interface, &Missing::Elsewhere(name), now);
            }
            (_, None) => {
                self.datapath.prepare();
                self.note_missing(interface, &Missing::Nowhere(None), now);
            }
            (LinkState::Detached { index }, Some(found)) => {
                self.reattach(target, targets, found, index == found.index, now);
            }
            (LinkState::Elsewhere { .. } | LinkState::Absent, Some(found)) => {
                self.reattach(target, targets, found, false, now);
            }
        }
    }

    fn history(&mut self, interface: &str) -> &mut LinkHistory {
        self.link_histories.entry(interface.to_owned()).or_default()
    }

    /// Logs what is wrong on an interface, once and then with growing delays.
    fn log_trouble(&mut self, interface: &str, message: &str, now: Instant) {
        if self.history(interface).troubles.is_due(message, now) {
            error!(interface, "{message}");
        }
    }

    /// Notes the interfaces on which a new filter does not run.
    pub(super) fn note_skipped(&mut self, skipped: Vec<Skipped>, interfaces: &Interfaces) {
        let now = Instant::now();
        for Skipped { interface, why } in skipped {
            match interfaces.named(&interface) {
                None => self.note_missing(&interface, &Missing::Nowhere(Some(&why)), now),
                Some(found) => {
                    let index = found.index;
                    self.note_failure(&interface, index, why.into(), now);
                }
            }
        }
    }

    /// Notes that the filter could not be attached to the interface of this name and index.
    fn note_failure(&mut self, interface: &str, index: u32, why: ReplaceError, now: Instant) {
        let key = match &why {
            // Its name is known only as long as this process has all of its privileges.
            ReplaceError::Attach(AttachError::Occupied { id, .. }) => Some(format!("program {id}")),
            _ => None,
        };
        let message = format!("{:#}", anyhow::Error::from(why));
        let history = self.history(interface);
        history.note_failure(index, now);
        let key = key.as_deref().unwrap_or(&message);
        if history.troubles.is_due_as(key, &message, now) {
            error!(interface, "{message}");
        }
    }

    /// Notes that no interface bears a name of the policy.
    fn note_missing(&mut self, interface: &str, missing: &Missing<'_>, now: Instant) {
        let message = match missing {
            Missing::Nowhere(_) => "the interface does not exist: waiting for it".to_owned(),
            Missing::Elsewhere(None) => {
                "the interface is in another network namespace: waiting for it, or for another one of its name".to_owned()
            }
            Missing::Elsewhere(Some(name)) => format!(
                "the interface is named {name} now: the filter stays there until a reload, or until another interface is \
                 named {interface}"
            ),
        };
        let is_awaited = self
            .policy()
            .interfaces
            .iter()
            .any(|ours| ours.name == interface && ours.wait == Wait::Yes);
        let history = self.history(interface);
        history.note_missing();
        let is_new = history.troubles.text() != Some(&message);
        if history.troubles.is_due(&message, now) {
            match missing {
                Missing::Nowhere(Some(why)) if !is_awaited => error!(interface, "{why}: waiting for it"),
                _ if is_awaited && !is_new => {}
                _ => warn!(interface, "{message}"),
            }
        }
    }

    /// Restores the filter on its own link, on which another program was put.
    fn restore(&mut self, interface: &str, program_id: u32, now: Instant) {
        let history = self.history(interface);
        if !history.is_lost() {
            history.interferences += 1;
            error!(
                interface,
                program_id, "THE FILTER WAS REPLACED by another program"
            );
        }
        if history.may_try(now) {
            match self.datapath.restore(interface) {
                Ok(()) => warn!(interface, "the filter is restored"),
                Err(error) => {
                    let message = format!("{:#}", anyhow::Error::from(error));
                    self.log_trouble(interface, &message, now);
                }
            }
        }
    }

    /// Attaches the filter to the interface that bears the target's name, on which it does not run. `ran_there` if it did.
    fn reattach(
        &mut self,
        target: &Target,
        targets: &[Target],
        found: &Interface,
        ran_there: bool,
        now: Instant,
    ) {
        let interface = &target.interface;
        let other = found.xdp.first().map(|other| other.program_id);
        let history = self.history(interface);
        if ran_there {
            if !history.is_lost() {
                history.interferences += 1;
                error!(interface, other_program_id = other, "THE FILTER WAS DETACHED");
            }
            if !history.may_try(now) {
                return;
            }
        } else if !history.may_attach(found.index, now) {
            return;
        }
        // All of them, only where something is wrong: what is possible on one depends on its ports and on its master.
        let attached = match Interfaces::list() {
            Ok(interfaces) => {
                let attached = self.datapath.reattach(&interfaces, targets, target);
                self.follow_ports(&interfaces);
                self.examine_settings(&interfaces);
                attached
            }
            Err(error) => Err(error.into()),
        };
        match attached {
            Ok(()) => {
                info!(interface, ifindex = found.index, "reattached");
                self.warn_if_fallen_back(interface);
                self.history(interface).note_running(now);
            }
            Err(error) => self.note_failure(interface, found.index, error, now),
        }
    }

    /// What is known of each interface of the policy besides what the kernel reports.
    pub(crate) fn interface_health(&self) -> Vec<InterfaceHealth> {
        let interfaces = self.policy().interfaces.iter();
        interfaces
            .map(|interface| {
                let history = self.link_histories.get(&interface.name);
                InterfaceHealth {
                    name: interface.name.clone(),
                    program_id: self.datapath.program_id(interface.role),
                    is_lost: history.is_some_and(LinkHistory::is_lost),
                    interferences: history.map_or(0, |history| history.interferences),
                    trouble: history
                        .and_then(|history| history.troubles.text())
                        .map(str::to_owned),
                    native_refused: self.native_refusal(&interface.name),
                    warnings: self.setting_warnings.of(&interface.name),
                }
            })
            .collect()
    }
}

/// Logs which links serve another interface than before, and which were released.
fn log_followed(followed: Followed) {
    for renamed in followed.renamed {
        warn!(
            interface = renamed.interface,
            before = renamed.before,
            ifindex = renamed.index,
            "the interface was renamed: the filter goes on there under the new name"
        );
    }
    for released in followed.released {
        let name = released.name.as_deref().unwrap_or("in another network namespace");
        warn!(
            interface = released.before,
            now = name,
            "another interface bears the name: the filter was detached from the one that did"
        );
    }
}
