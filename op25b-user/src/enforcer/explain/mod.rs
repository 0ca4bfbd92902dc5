//! Explaining what the program in the kernel does with a connection, and by which exemption, pool or relay.
//!
//! The daemon asks the filter that it loaded; without a daemon [`offline`] asks the one that runs.

mod answer;
mod connection;
mod names;
mod offline;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::IpNet;
use jiff::Timestamp;

pub(crate) use self::{
    answer::Answer,
    connection::Connection,
    offline::{Disk, Offline, explain as explain_offline},
};
use self::{answer::grouped, connection::SMTP, names::ActiveNames};
use super::{exemptions::refusal::Refusal, state::Enforcer};
use crate::{
    datapath::{
        Interfaces,
        ask::{Asker, Point},
        probe::Packet,
    },
    policy::{self, Position, Role},
    store::Record,
};

/// What the program in the kernel does with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// The packet that opens it.
    pub(crate) packet: Packet,
    /// The IPv4 address that its destination is translated to.
    pub(crate) nat64: Option<Ipv4Addr>,
    /// What happens to it.
    pub(crate) answer: Answer,
    /// The interfaces at which this happens; none if it was not asked for an interface.
    pub(crate) interfaces: Vec<String>,
    /// Other interfaces at which something else happens.
    pub(crate) elsewhere: Vec<(Vec<String>, Answer)>,
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

impl Explanation {
    /// The explanation of a packet with what happens to it at each interface.
    fn new(packet: Packet, nat64: &policy::Nat64, answers: Vec<(Point, Answer)>) -> Self {
        let mut groups = grouped(answers).into_iter();
        // Without any interface there is no filter.
        let (interfaces, answer) = groups
            .next()
            .unwrap_or_else(|| (Vec::new(), Answer::without_filter(None)));
        Self {
            nat64: nat64.extract(packet.destination),
            packet,
            answer,
            interfaces,
            elsewhere: groups.collect(),
        }
    }
}

impl Enforcer {
    /// What the program does with a connection. A second instance of it is run, which reads the maps of the running generation.
    pub(crate) fn explain(&mut self, connection: &Connection) -> Result<Explanation, Refusal> {
        let points = self.points(connection)?;
        let packet = self.packet(connection)?;
        let frame = packet.frame().map_err(invalid)?;
        let mut answers = Vec::with_capacity(points.len());
        for point in points {
            let answer = match point.program {
                Some((_, role)) => self.answer(&packet, &frame, (role, Some(point.index)))?,
                None => Answer::without_filter(point.other_program),
            };
            answers.push((point, answer));
        }
        let nat64 = &self.active_set.policy().nat64;
        Ok(Explanation::new(packet, nat64, answers))
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
        let packet = self.packet(&Connection {
            destination,
            port: ports.first().copied().unwrap_or(SMTP),
            ..Connection::from(source)
        })?;
        let frame = packet.frame().map_err(invalid)?;
        // Whether or not an interface is there.
        let answer = self.answer(&packet, &frame, (Role::Subscriber, None))?;
        Ok(Explanation {
            nat64: self.active_set.policy().nat64.extract(packet.destination),
            packet,
            answer,
            interfaces: Vec::new(),
            elsewhere: Vec::new(),
        })
    }

    /// The interface that was asked for, or the subscriber interfaces that exist.
    fn points(&self, connection: &Connection) -> Result<Vec<Point>, Refusal> {
        let listed = Interfaces::list();
        let interfaces = listed.map_err(|error| broken(format!("{:#}", anyhow::Error::from(error))))?;
        let role_of = |program: u32| {
            let mut roles = [Role::Subscriber, Role::Uplink].into_iter();
            roles.find(|role| self.datapath.program_id(*role) == Some(program))
        };
        let find = |name: &str| Point::find(&interfaces, name, role_of);
        let Some(name) = &connection.interface else {
            let all = self.active_set.policy().interfaces.iter();
            let subscriber = all.filter(|interface| interface.role == Role::Subscriber);
            return Ok(subscriber
                .filter_map(|interface| find(&interface.name).ok())
                .collect());
        };
        let point = find(name).map_err(invalid)?;
        check_direction(&point, connection)?;
        Ok(vec![point])
    }

    fn packet(&self, connection: &Connection) -> Result<Packet, Refusal> {
        let nat64 = &self.active_set.policy().nat64;
        connection.packet(nat64, |source| self.sample_destination(source))
    }

    fn answer(
        &mut self,
        packet: &Packet,
        frame: &[u8],
        point: (Role, Option<u32>),
    ) -> Result<Answer, Refusal> {
        self.prepare_asker()?;
        let names = ActiveNames {
            active_set: &self.active_set,
            description: &self.description,
        };
        let asker = self
            .asker
            .as_mut()
            .ok_or_else(|| broken("no filter is running"))?;
        let answer = Answer::of(asker, packet, frame, point, &names);
        if answer.is_err() {
            // The next question loads it again.
            self.asker = None;
        }
        answer.map_err(broken)
    }

    /// Loads the program that is asked.
    fn prepare_asker(&mut self) -> Result<(), Refusal> {
        if self.asker.is_none() {
            // It opens the maps by their pins.
            self.repair_pins();
            let asker: Option<Asker> = self.datapath.asker().map_err(broken)?;
            self.asker = asker;
        }
        Ok(())
    }

    /// A sample destination: an address that no relay and no exemption names.
    fn sample_destination(&self, source: IpAddr) -> Result<IpAddr, Refusal> {
        // Without a daemon the store is asked for the same.
        let now = Timestamp::now();
        let covers = |record: &Record| {
            let mut prefixes = record.terms.prefixes.iter();
            prefixes.any(|net| net.contains(&source)) && !record.terms.have_expired(now)
        };
        let stored = self.active_set.destinations(covers);
        let nat64 = &self.active_set.policy().nat64;
        let is_named = |address: &IpAddr| {
            let mut named = stored.iter().flat_map(|net| nat64.with_translated(*net));
            named.any(|net| net.contains(address))
        };
        policy::sample_destination(self.active_set.policy(), source, is_named).ok_or_else(|| {
            Refusal::Invalid("the rules name every sample destination: give a destination".to_owned())
        })
    }
}

/// Refuses a question about an uplink interface without a subscriber.
fn check_direction(point: &Point, connection: &Connection) -> Result<(), connection::Impossible> {
    match (point.program, connection.destination) {
        (Some((_, Role::Uplink)), None) => Err(connection::Impossible::Uplink {
            interface: point.interface.clone(),
        }),
        _ => Ok(()),
    }
}

impl From<connection::Impossible> for Refusal {
    fn from(impossible: connection::Impossible) -> Self {
        invalid(impossible)
    }
}

fn invalid<E: std::error::Error>(error: E) -> Refusal {
    Refusal::Invalid(error.to_string())
}

fn broken(error: impl Into<Box<dyn std::error::Error>>) -> Refusal {
    let error: Box<dyn std::error::Error> = error.into();
    Refusal::Broken(format!("cannot run the program: {error}"))
}
