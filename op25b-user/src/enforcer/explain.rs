//! Explaining what the program in the kernel does with a connection, and by which exemption, pool or relay.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::IpNet;
use op25b_common::{Reason, Verdict, values::RuleIndex};

use super::{exemptions::refusal::Refusal, state::Enforcer};
use crate::{
    datapath::{Decision, probe},
    policy::{self, Exemption, Flow, Position},
    store::Record,
};

/// The port of an explanation if none is given, or the policy blocks none.
const SMTP: u16 = 25;

/// A connection to explain. [`Connection::from`] has the defaults of all members but the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The source.
    pub(crate) source: IpAddr,
    /// The destination; a sample destination if none is given.
    pub(crate) destination: Option<IpAddr>,
    /// The destination's TCP port.
    pub(crate) port: u16,
}

impl Connection {
    /// From a source to the port of mail at a sample destination.
    pub(crate) fn from(source: IpAddr) -> Self {
        Self {
            source,
            destination: None,
            port: SMTP,
        }
    }
}

/// What the program in the kernel does with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// The connection.
    pub(crate) flow: Flow,
    /// The IPv4 address that its destination is translated to.
    pub(crate) nat64: Option<Ipv4Addr>,
    /// What happens to its SYN.
    pub(crate) verdict: Verdict,
    /// The row of the verdict table.
    pub(crate) reason: Reason,
    /// The rule that decided.
    pub(crate) rule: Option<MatchedRule>,
}

/// A rule of the policy or the store that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchedRule {
    /// What it is.
    pub(crate) kind: RuleKind,
    /// The pool's or relay's name, or the exemption's customer.
    pub(crate) name: String,
    /// The exemption's id.
    pub(crate) id: Option<String>,
    /// The exemption's ticket.
    pub(crate) ticket: Option<String>,
    /// Its prefix that decided.
    pub(crate) prefix: Option<IpNet>,
    /// Where it is in the policy file or in a list; nothing if it is stored.
    pub(crate) position: Option<Position>,
    /// The list that it is in; nothing if it is in the policy file.
    pub(crate) list: Option<PathBuf>,
}

/// What a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleKind {
    /// A pool.
    Pool,
    /// A relay.
    Relay,
    /// An exemption.
    Exemption,
}

impl Enforcer {
    /// What the program does with a connection. A second instance of it is run, which reads the maps of the running generation.
    pub(crate) fn explain(&mut self, connection: &Connection) -> Result<Explanation, Refusal> {
        let Connection {
            source,
            destination,
            port,
        } = *connection;
        let nat64 = &self.active_set.policy().nat64;
        let destination = destination.map(|destination| nat64.reached_from(source, destination));
        let destination = match destination {
            Some(destination) if destination.is_ipv4() == source.is_ipv4() => destination,
            Some(destination) => {
                return Err(Refusal::Invalid(format!(
                    "{source} and {destination} are of different address families"
                )));
            }
            None => self.sample_destination(source)?,
        };
        let frame = probe::syn(source, destination, port).map_err(broken)?;
        if self.test_runner.is_none() {
            // It opens the maps by their pins.
            self.repair_pins();
        }
        let runner = match &mut self.test_runner {
            Some(runner) => runner,
            none => {
                let runner = self.datapath.test_runner().map_err(broken)?;
                none.insert(runner.ok_or_else(|| broken("no filter is running"))?)
            }
        };
        let decision = match runner.run(&frame) {
            Ok(decision) => decision,
            Err(error) => {
                // The next question loads it again.
                self.test_runner = None;
                return Err(broken(error));
            }
        };
        let flow = Flow {
            source,
            destination,
            destination_port: port,
        };
        Ok(Explanation {
            flow,
            nat64: self.active_set.policy().nat64.extract(destination),
            verdict: decision.verdict,
            reason: decision.reason,
            rule: self.rule(decision, &flow),
        })
    }

    /// What the program does with a connection from the first prefix of an exemption to one of its destinations.
    pub(super) fn explain_exemption(&mut self, record: &Record) -> Result<Explanation, Refusal> {
        let first = record
            .terms
            .prefixes
            .first()
            .ok_or_else(|| broken("an exemption without prefixes"))?;
        let source = first.addr();
        let nat64 = &self.active_set.policy().nat64;
        let destinations = record.terms.destinations.iter().map(IpNet::addr);
        let mut destinations = destinations.map(|destination| nat64.reached_from(source, destination));
        let destination = destinations.find(|destination| destination.is_ipv4() == source.is_ipv4());
        let ports = &self.active_set.policy().block.ports;
        let port = ports.first().copied().unwrap_or(SMTP);
        self.explain(&Connection {
            destination,
            port,
            ..Connection::from(source)
        })
    }

    /// A sample destination: an address that no relay and no exemption names.
    fn sample_destination(&self, source: IpAddr) -> Result<IpAddr, Refusal> {
        let stored = self.active_set.destinations();
        let nat64 = &self.active_set.policy().nat64;
        let is_named = |address: &IpAddr| {
            let mut named = stored.iter().flat_map(|net| nat64.with_translated(*net));
            named.any(|net| net.contains(address))
        };
        policy::sample_destination(self.active_set.policy(), source, is_named).ok_or_else(|| {
            Refusal::Invalid("the rules name every sample destination: give a destination".to_owned())
        })
    }

    fn rule(&self, decision: Decision, flow: &Flow) -> Option<MatchedRule> {
        let number = decision.rule?;
        match decision.reason {
            Reason::Relay => self.rule_in_policy(policy::Rule::Relay(number), flow),
            Reason::Uninspectable | Reason::Monitored | Reason::Blocked => {
                self.rule_in_policy(policy::Rule::Pool(number), flow)
            }
            Reason::Exempt => {
                let stored = RuleIndex::try_from(number).ok();
                match stored.and_then(|number| self.active_set.by_number(number)) {
                    Some(record) => Some(stored_rule(record, flow)),
                    None => self.rule_in_policy(policy::Rule::Exemption(number), flow),
                }
            }
            Reason::NotIp
            | Reason::NotTcp
            | Reason::LaterFragment
            | Reason::OtherPort
            | Reason::NotPooled
            | Reason::Established => None,
        }
    }

    fn rule_in_policy(&self, rule: policy::Rule, flow: &Flow) -> Option<MatchedRule> {
        let policy = self.active_set.policy();
        let described = rule.describe(policy, flow)?;
        let (kind, exemption) = match rule {
            policy::Rule::Pool(_) => (RuleKind::Pool, None),
            policy::Rule::Relay(_) => (RuleKind::Relay, None),
            policy::Rule::Exemption(index) => (RuleKind::Exemption, Some(index)),
        };
        let exemptions = policy.exemptions_in_file();
        let ticket = |exemption: &Exemption| exemption.terms.ticket.as_deref().map(str::to_owned);
        Some(MatchedRule {
            kind,
            name: described.name.to_owned(),
            id: exemption.map(|index| policy::exemption_id(&policy.lists, exemptions, index)),
            ticket: exemption.and_then(|index| ticket(&exemptions[index])),
            prefix: described.prefix,
            position: described.at,
            list: described.list.map(|list| list.path.clone()),
        })
    }
}

fn stored_rule(record: &Record, flow: &Flow) -> MatchedRule {
    let around = record
        .terms
        .prefixes
        .iter()
        .filter(|net| net.contains(&flow.source));
    MatchedRule {
        kind: RuleKind::Exemption,
        name: record.terms.customer.to_string(),
        id: Some(record.id.to_string()),
        ticket: record.terms.ticket.as_deref().map(str::to_owned),
        prefix: around.max_by_key(|net| net.prefix_len()).copied(),
        position: None,
        list: None,
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error>>) -> Refusal {
    let error: Box<dyn std::error::Error> = error.into();
    Refusal::Broken(format!("cannot run the program: {error}"))
}
