//! What the program answers about a packet at each interface, and which rule that is.

use std::net::IpAddr;

use jiff::Timestamp;
use op25b_common::{
    Reason, Verdict,
    values::{ALWAYS_PAST, Class, NEVER, NO_DESTINATIONS, NO_RULE, UnixSeconds},
};

use super::MatchedRule;
use crate::{
    datapath::{
        Decision, Description, LoadError, TestRunError,
        ask::{Asker, Point},
        probe::Packet,
    },
    policy::{DecidingPhase, Flow, Pause, PoolMode, Role},
};

/// What happens to a packet at an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What happens to it.
    pub(crate) verdict: Verdict,
    /// The role of the interface; none where no filter runs.
    pub(crate) role: Option<Role>,
    /// Why; none where no filter runs.
    pub(crate) reason: Option<Reason>,
    /// The rule that decided.
    pub(crate) rule: Option<MatchedRule>,
    /// Until when its pool is only monitored, or a source in no pool passes during a pause; none if it is enforced, or passes without
    /// an end.
    pub(crate) until: Option<Timestamp>,
    /// The pause for which it passes until then.
    pub(crate) pause: Option<Pause>,
    /// The phase of the pool that decides; none if it has no phases.
    pub(crate) phase: Option<DecidingPhase>,
    /// Another XDP program that runs there instead of a filter.
    pub(crate) other_program: Option<u32>,
}

/// The names of a filter's rules.
pub(super) trait Names {
    /// The rule of a decision about a flow whose source has this class.
    fn rule(&self, decision: Decision, flow: &Flow, class: Option<&Class>) -> Option<MatchedRule>;

    /// What was loaded with the rules.
    fn description(&self) -> &Description;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The program did not run.
    #[error(transparent)]
    Run(#[from] TestRunError),
    /// Its tables cannot be read.
    #[error(transparent)]
    Tables(#[from] LoadError),
}

impl Answer {
    /// What happens where no filter runs.
    pub(super) fn without_filter(other_program: Option<u32>) -> Self {
        Self {
            verdict: Verdict::Pass,
            role: None,
            reason: None,
            rule: None,
            until: None,
            pause: None,
            phase: None,
            other_program,
        }
    }

    /// What a filter does with a packet that an interface receives.
    pub(super) fn of(
        asker: &mut Asker,
        packet: &Packet,
        frame: &[u8],
        (role, interface): (Role, Option<u32>),
        names: &dyn Names,
    ) -> Result<Self, NoAnswer> {
        let decision = asker.ask(role, interface, frame)?;
        let (locals, remote) = match role {
            Role::Subscriber => (packet.deciding_sources(), packet.destination),
            Role::Uplink => (vec![packet.destination], packet.sources[0]),
        };
        let mut classes = Vec::new();
        for local in locals {
            classes.push((local, asker.class(local)?));
        }
        let (source, class) = deciding(&classes, decision).unwrap_or((remote, None));
        let flow = Flow {
            source,
            destination: remote,
            destination_port: packet.port,
        };
        let matched = names.rule(decision, &flow, class.as_ref());
        let description = names.description();
        let (from, phase) = enforced_from(asker, decision, class.as_ref(), remote, description)?;
        let is_unlisted = role == Role::Subscriber && decision.reason == Reason::NotPooled;
        let (from, pool) = if is_unlisted {
            (description.unlisted_paused_until(), None)
        } else {
            (from, matched.as_ref().map(|rule| rule.name.as_str()))
        };
        let from = from.filter(|_| decision.verdict == Verdict::Pass);
        // What the policy never blocks is not paused.
        let is_never = pool.is_some_and(|pool| is_monitored(description, pool))
            || phase.is_some_and(|phase| phase.number.is_none());
        let cause = |from| description.pauses.cause(pool, from, Timestamp::now());
        let pause = from
            .and_then(cause)
            .filter(|pause| pause.until.is_some() || !is_never);
        let until = from.filter(|until| ![ALWAYS_PAST, NEVER].contains(until));
        let until = until.and_then(|until| Timestamp::from_second(until.into()).ok());
        Ok(Self {
            verdict: decision.verdict,
            role: Some(role),
            reason: Some(decision.reason),
            pause: pause.cloned(),
            phase,
            // A pause that is over keeps no source that is in no pool from being dropped.
            until: until.filter(|_| !is_unlisted || pause.is_some()),
            rule: matched,
            other_program: None,
        })
    }
}

/// Whether a pool is in monitor mode.
fn is_monitored(description: &Description, pool: &str) -> bool {
    let mut pools = description.pools.iter();
    pools.any(|one| one.name == pool && one.mode == PoolMode::Monitor.name())
}

/// From when on the pool of a decision is enforced for the packet, and which of its phases decides; none if no pool decided.
fn enforced_from(
    asker: &Asker,
    decision: Decision,
    class: Option<&Class>,
    destination: IpAddr,
    description: &Description,
) -> Result<(Option<UnixSeconds>, Option<DecidingPhase>), NoAnswer> {
    let Some(class) = class else {
        return Ok((None, None));
    };
    match decision.reason {
        Reason::Uninspectable => Ok((Some(asker.first_enforced_from(class)?), None)),
        Reason::Monitored | Reason::Blocked => {
            let (from, place) = asker.enforced_from(class, destination)?;
            let phases = decision.rule.and_then(|pool| description.pools.get(pool));
            let phases = phases.map_or(&[][..], |pool| &pool.phases);
            // Without an entry of its own it is what the last phase is for.
            let place = place.map(|place| place as usize);
            let everywhere = || phases.iter().position(|phase| phase.only_to == 0);
            let place = place.or_else(everywhere);
            let phase = (!phases.is_empty()).then(|| DecidingPhase {
                number: place.map(|place| place + 1),
                of: phases.len(),
                from: place.and_then(|place| phases.get(place)?.from),
            });
            Ok((Some(from), phase))
        }
        _ => Ok((None, None)),
    }
}

/// The source that a decision is about, of those that may decide, with its class.
fn deciding(classes: &[(IpAddr, Option<Class>)], decision: Decision) -> Option<(IpAddr, Option<Class>)> {
    let is_it = |class: &Class| match decision.reason {
        Reason::Exempt => {
            Some(class.exemption as usize) == decision.rule || class.destinations != NO_DESTINATIONS
        }
        Reason::Uninspectable | Reason::Monitored | Reason::Blocked => {
            Some(class.pool as usize) == decision.rule
        }
        _ => class.pool != NO_RULE,
    };
    let found = classes
        .iter()
        .find(|(_, class)| class.as_ref().is_some_and(is_it));
    found.or(classes.first()).copied()
}

/// Interfaces with the same answer, in the order in which they first appear.
pub(super) fn grouped(answers: Vec<(Point, Answer)>) -> Vec<(Vec<String>, Answer)> {
    let mut groups: Vec<(Vec<String>, Answer)> = Vec::new();
    for (point, answer) in answers {
        match groups.iter_mut().find(|(_, other)| *other == answer) {
            Some((interfaces, _)) => interfaces.push(point.interface),
            None => groups.push((vec![point.interface], answer)),
        }
    }
    // What a filter decides comes first: it is what was asked.
    groups.sort_by_key(|(_, answer)| answer.reason.is_none());
    groups
}
