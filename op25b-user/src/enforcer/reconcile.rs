//! Looking after the interfaces: attaching to those that come, and putting back what somebody takes away.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use crate::{
    daemon::{Daemon, targets},
    datapath::{Interfaces, LinkState, Target},
    report::{InterfaceReport, InterfaceState},
};

/// How long to wait before putting back what was taken away a second time, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(10));

/// What is remembered of the interfaces of the policy.
#[derive(Debug, Default)]
pub(crate) struct Reconcile(BTreeMap<String, Watched>);

/// What is remembered of one of them.
#[derive(Debug, Default)]
struct Watched {
    /// Whether there is no such interface, and this was said.
    is_missing: bool,
    /// How often somebody took the filter away.
    interferences: u64,
    trouble: Option<Trouble>,
}

/// Somebody else wants the interface, too.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// How long it is waited after the next time.
    delay: Duration,
    /// When the filter may be put back.
    again: Instant,
    /// Whether it is away now.
    is_away: bool,
}

impl Watched {
    /// Whether the filter may be put back now: at once the first time, later and later after that.
    fn may_try(&mut self, now: Instant) -> bool {
        let (first, longest) = BACK_OFF;
        match &mut self.trouble {
            None => {
                self.trouble = Some(Trouble {
                    delay: first,
                    again: now + first,
                    is_away: true,
                });
                true
            }
            Some(trouble) => {
                trouble.is_away = true;
                let may = now >= trouble.again;
                if may {
                    trouble.delay = (trouble.delay * 2).min(longest);
                    trouble.again = now + trouble.delay;
                }
                may
            }
        }
    }

    /// The filter runs: once it has for long enough, what was is forgotten.
    fn runs(&mut self, now: Instant) {
        self.is_missing = false;
        if let Some(trouble) = &mut self.trouble {
            trouble.is_away = false;
            if now > trouble.again + BACK_OFF.1 {
                self.trouble = None;
            }
        }
    }

    /// Whether the filter is known to have been taken away.
    fn is_away(&self) -> bool {
        self.trouble.is_some_and(|trouble| trouble.is_away)
    }
}

impl Daemon {
    /// Whether an interface is one of the policy's.
    pub(crate) fn is_ours(&self, interface: &str) -> bool {
        let mut interfaces = self.policy.interfaces.iter();
        interfaces.any(|ours| ours.name == interface)
    }

    /// Looks at every interface of the policy, and attaches where the filter should run and does not.
    pub(crate) async fn look_after_interfaces(&mut self) {
        let targets = targets(&self.policy);
        self.reconcile
            .0
            .retain(|name, _| targets.iter().any(|target| target.interface == *name));
        let mut interfaces = None;
        for target in &targets {
            let standing = match self.enforced.link_state(&target.interface) {
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
                    if let Err(error) = self.enforced.repin(&target.interface) {
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
        self.publish();
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
            match self.enforced.restore(interface) {
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
        match self.enforced.reattach(interfaces, target) {
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

    /// How it stands with each interface of the policy, for the control socket.
    pub(crate) fn interface_reports(&self) -> Vec<InterfaceReport> {
        let interfaces = self.policy.interfaces.iter();
        interfaces
            .map(|interface| {
                let watched = self.reconcile.0.get(&interface.name);
                let state = match self.enforced.link_state(&interface.name) {
                    Ok(LinkState::Runs | LinkState::Unpinned) => InterfaceState::Enforced,
                    _ if watched.is_some_and(Watched::is_away) => InterfaceState::Lost,
                    _ => InterfaceState::Missing,
                };
                InterfaceReport {
                    name: interface.name.clone(),
                    state,
                    interferences: watched.map_or(0, |watched| watched.interferences),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_put_back_at_once_and_then_later_and_later() {
        let mut watched = Watched::default();
        let start = Instant::now();
        let tries =
            |watched: &mut Watched, seconds: u64| watched.may_try(start + Duration::from_secs(seconds));
        assert!(tries(&mut watched, 0));
        watched.runs(start + Duration::from_secs(1));
        assert!(!tries(&mut watched, 2));
        assert!(!tries(&mut watched, 9));
        assert!(tries(&mut watched, 10));
        assert!(!tries(&mut watched, 29));
        assert!(tries(&mut watched, 30));
        let mut at = 30;
        for delay in [40, 80, 160, 320, 600, 600] {
            assert!(!tries(&mut watched, at + delay - 1), "{delay}");
            at += delay;
            assert!(tries(&mut watched, at), "{delay}");
        }
    }

    #[test]
    fn what_was_is_forgotten_after_it_has_run_for_long() {
        let mut watched = Watched::default();
        let start = Instant::now();
        assert!(watched.may_try(start));
        assert!(watched.is_away());
        watched.runs(start + Duration::from_secs(20));
        assert!(!watched.is_away());
        assert!(watched.trouble.is_some());
        watched.runs(start + Duration::from_secs(611));
        assert!(watched.trouble.is_none());
        assert!(watched.may_try(start + Duration::from_secs(612)));
    }
}
