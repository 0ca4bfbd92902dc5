//! What the program answers about a packet at each interface, and which rule that is.

use std::net::IpAddr;

use jiff::Timestamp;
use op25b_common::{
    Reason, Verdict,
    values::{ALWAYS_PAST, Class, NEVER, NO_DESTINATIONS, NO_RULE},
};

use super::MatchedRule;
use crate::{
    datapath::{
        Decision, LoadError, TestRunError,
        ask::{Asker, Point},
        probe::Packet,
    },
    policy::{Flow, Role},
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
    /// Until when its pool is only monitored; none if it is enforced, or monitored without an end.
    pub(crate) until: Option<Timestamp>,
    /// Another XDP program that runs there instead of a filter.
    pub(crate) other_program: Option<u32>,
}

/// The names of a filter's rules.
pub(super) trait Names {
    /// The rule of a decision about a flow whose source has this class.
    fn rule(&self, decision: Decision, flow: &Flow, class: Option<&Class>) -> Option<MatchedRule>;
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
        let is_monitored = match decision.reason {
            Reason::Monitored => true,
            Reason::Uninspectable => decision.verdict == Verdict::Pass,
            _ => false,
        };
        let until = class.filter(|_| is_monitored).map(|class| class.enforce_from);
        let until = until.filter(|until| ![ALWAYS_PAST, NEVER].contains(until));
        Ok(Self {
            verdict: decision.verdict,
            role: Some(role),
            reason: Some(decision.reason),
            rule: names.rule(decision, &flow, class.as_ref()),
            until: until.and_then(|until| Timestamp::from_second(until.into()).ok()),
            other_program: None,
        })
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
