//! What the program in the kernel does with a connection, and by which exemption, pool or relay.

use std::net::IpAddr;

use ipnet::IpNet;
use op25b_common::{Reason, values::RuleIndex};

use super::Refusal;
use crate::{
    api::{Explained, FilePosition, Rule, RuleKind},
    daemon::Daemon,
    datapath::{Decision, probe},
    policy::{self, Exemption, Flow, Position},
    report::exemptions::policy_id,
    store::Record,
};

/// The port that an answer to a change is about: a policy may block others as well.
const SMTP: u16 = 25;

impl Daemon {
    /// What the program does with a connection: asked of one that reads the maps of the generation that runs.
    pub(crate) fn explain(
        &mut self,
        source: IpAddr,
        destination: Option<IpAddr>,
        port: u16,
    ) -> Result<Explained, Refusal> {
        let destination = match destination {
            Some(destination) if destination.is_ipv4() == source.is_ipv4() => destination,
            Some(destination) => {
                return Err(Refusal::Invalid(format!(
                    "{source} and {destination} are of different address families"
                )));
            }
            None => self.somewhere(source)?,
        };
        let frame = probe::syn(source, destination, port).map_err(broken)?;
        let runner = match &mut self.questions {
            Some(runner) => runner,
            none => {
                let runner = self.enforced.test_runner().map_err(broken)?;
                none.insert(runner.ok_or_else(|| broken("no filter runs"))?)
            }
        };
        let decision = runner.run(&frame).map_err(broken)?;
        let flow = Flow {
            source,
            destination,
            destination_port: port,
        };
        Ok(Explained {
            source,
            destination,
            port,
            verdict: decision.verdict.name().to_owned(),
            reason: decision.reason.name().to_owned(),
            rule: self.rule(decision, &flow),
        })
    }

    /// What the program does with a connection from the first prefix of an exemption to where it may connect.
    pub(super) fn verdict(&mut self, record: &Record) -> Result<Explained, Refusal> {
        let first = record
            .terms
            .prefixes
            .first()
            .ok_or_else(|| broken("an exemption without prefixes"))?;
        let source = first.addr();
        let mut destinations = record.terms.destinations.iter().map(IpNet::addr);
        let destination = destinations.find(|destination| destination.is_ipv4() == source.is_ipv4());
        let ports = &self.active_set.policy().block.ports;
        let port = ports.first().copied().unwrap_or(SMTP);
        self.explain(source, destination, port)
    }

    /// An address that no relay and no exemption names.
    fn somewhere(&self, source: IpAddr) -> Result<IpAddr, Refusal> {
        let stored = self.active_set.destinations();
        let is_named = |address: &IpAddr| stored.iter().any(|net| net.contains(address));
        policy::somewhere(self.active_set.policy(), source, is_named).ok_or_else(|| {
            Refusal::Invalid(
                "the policy names every destination that could stand for the others: say which one"
                    .to_owned(),
            )
        })
    }

    fn rule(&self, decision: Decision, flow: &Flow) -> Option<Rule> {
        let number = decision.rule?;
        match decision.reason {
            Reason::Relay => self.in_file(policy::Rule::Relay(number), flow),
            Reason::Uninspectable | Reason::Monitored | Reason::Blocked => {
                self.in_file(policy::Rule::Pool(number), flow)
            }
            Reason::Exempt => {
                let stored = RuleIndex::try_from(number).ok();
                match stored.and_then(|number| self.active_set.by_number(number)) {
                    Some(record) => Some(stored_rule(record, flow)),
                    None => self.in_file(policy::Rule::Exemption(number), flow),
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

    fn in_file(&self, rule: policy::Rule, flow: &Flow) -> Option<Rule> {
        let policy = self.active_set.policy();
        let described = rule.describe(policy, flow)?;
        let (kind, exemption) = match rule {
            policy::Rule::Pool(_) => (RuleKind::Pool, None),
            policy::Rule::Relay(_) => (RuleKind::Relay, None),
            policy::Rule::Exemption(index) => (RuleKind::Exemption, Some(index)),
        };
        let exemptions = policy.exemptions_in_file();
        let ticket = |exemption: &Exemption| exemption.ticket.as_deref().map(str::to_owned);
        Some(Rule {
            kind,
            name: described.name.to_owned(),
            id: exemption.map(|index| policy_id(exemptions, index)),
            ticket: exemption.and_then(|index| ticket(&exemptions[index])),
            prefix: described.prefix.map(|prefix| prefix.to_string()),
            place: Some(self.place(described.at)),
        })
    }

    fn place(&self, at: Position) -> FilePosition {
        FilePosition {
            file: self.description.policy_file.clone(),
            line: at.line,
            column: at.column,
        }
    }
}

fn stored_rule(record: &Record, flow: &Flow) -> Rule {
    let around = record
        .terms
        .prefixes
        .iter()
        .filter(|net| net.contains(&flow.source));
    Rule {
        kind: RuleKind::Exemption,
        name: record.terms.customer.to_string(),
        id: Some(record.id.to_string()),
        ticket: record.terms.ticket.as_deref().map(str::to_owned),
        prefix: around.max_by_key(|net| net.prefix_len()).map(ToString::to_string),
        place: None,
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error>>) -> Refusal {
    let error: Box<dyn std::error::Error> = error.into();
    Refusal::Broken(format!("the program cannot be asked: {error}"))
}
