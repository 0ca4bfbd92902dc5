//! Explains a connection without a daemon: by the filters that run on the interfaces of this network namespace.
//!
//! The verdict is the kernel's. Names are those of the policy file, if it is the one that was loaded, or of the last good policy
//! in the state directory; stored exemptions are those of the store there.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{Reason, values::Class};
use thiserror::Error;

use super::{
    Answer, Connection, Explanation, MatchedRule, RuleKind,
    answer::{Names, NoAnswer},
    check_direction,
    connection::Impossible,
    names::{numbered, rule_in_policy, stored_rule},
};
use crate::{
    datapath::{
        Decision, Description, Interfaces,
        ask::{AskError, Asker, AttachedProgram, NoPoint, Point, attached_programs},
        probe::{MixedFamilies, Packet},
    },
    policy::{self, Flow, Nat64, Policy, Position, Role},
    state_dir::{KeptPolicy, Slot},
    store::{NoRecords, Query, Record, Records, StoreError, sqlite},
};

/// The most stored exemptions of one source that are compared.
const MOST_RECORDS: usize = 1000;

/// An explanation, and what is known besides of what is enforced.
pub(crate) struct Offline {
    /// The explanation.
    pub(crate) explanation: Explanation,
    /// The policy file that the filter was loaded from; none without a filter.
    pub(crate) policy_file: Option<PathBuf>,
    /// The policy that is enforced, if it could be read.
    pub(crate) policy: Option<Policy>,
    /// The store.
    pub(crate) store: Box<dyn Records>,
    /// Why it could not be read.
    pub(crate) store_error: Option<String>,
}

/// Why nothing can be explained.
#[derive(Debug, Error)]
pub(crate) enum OfflineError {
    /// The interfaces cannot be listed.
    #[error("cannot list the network interfaces")]
    Interfaces(#[from] io::Error),
    /// No frame arrives there.
    #[error(transparent)]
    Point(#[from] NoPoint),
    /// There is no such packet.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// The packet cannot be built.
    #[error(transparent)]
    Families(#[from] MixedFamilies),
    /// The filter cannot be asked.
    #[error("cannot ask the filter on {interface}")]
    Ask {
        /// The interface.
        interface: String,
        /// Why.
        source: Box<AskError>,
    },
    /// The filter does not answer.
    #[error("cannot run the filter's program")]
    Run(#[from] NoAnswer),
    /// Every sample is named by a rule.
    #[error("the rules name every sample destination: give `--dst IP`")]
    NoSample,
    /// Whether the policy translates is not known.
    #[error(
        "{0} has changed since it was loaded, so that it is not known whether IPv4 is translated: give `--tunnel 4in6` for \
         DS-Lite, or the translated destination"
    )]
    Translation(PathBuf),
}

/// A filter that is asked, with what is known of its policy.
struct Asked {
    asker: Asker,
    description: Description,
    policy: Option<KnownPolicy>,
}

/// The policy of a filter.
struct KnownPolicy {
    policy: Policy,
    /// Whether the policy file has this text.
    is_file: bool,
}

/// What a filter does with a connection. The store is the one in `state_dir`.
pub(crate) fn explain(connection: &Connection, state_dir: &Path) -> Result<Offline, OfflineError> {
    let interfaces = Interfaces::list_now()?;
    let (store, store_error) = match sqlite::open_read_only(state_dir) {
        Ok(Some(store)) => (Box::new(store) as Box<dyn Records>, None),
        Ok(None) => (Box::new(NoRecords) as Box<dyn Records>, None),
        Err(error) => (Box::new(NoRecords) as Box<dyn Records>, Some(error.to_string())),
    };
    let programs = if interfaces.iter().any(|interface| !interface.xdp.is_empty()) {
        attached_programs().map_err(|source| OfflineError::Ask {
            interface: connection
                .interface
                .clone()
                .unwrap_or_else(|| "the interfaces".to_owned()),
            source: Box::new(source),
        })?
    } else {
        Vec::new()
    };
    let host = Host {
        interfaces,
        programs,
        state_dir,
    };
    let points = host.points(connection)?;
    let mut asked = host.ask(&points)?;
    let first = points.iter().find_map(|point| point.program);
    let first = first.map(|(program, _)| program);
    let policy = first.and_then(|first| asked.get(&first)?.policy.as_ref());
    let nat64 = policy.map_or_else(Nat64::default, |known| known.policy.nat64.clone());
    if let Some(asked) = first.and_then(|first| asked.get(&first)) {
        asked.check_translation(connection)?;
    }
    let packet = connection.packet(&nat64, |source| {
        match first.and_then(|first| asked.get_mut(&first)) {
            Some(asked) => asked.sample(connection, source, &*store),
            None => policy::sample_destinations(source)
                .next()
                .ok_or(OfflineError::NoSample),
        }
    })?;
    let frame = packet.frame()?;
    let mut answers = Vec::with_capacity(points.len());
    for point in points {
        let answer = match point
            .program
            .and_then(|(program, role)| Some((asked.get_mut(&program)?, role)))
        {
            Some((asked, role)) => {
                let Asked {
                    asker,
                    description,
                    policy,
                } = asked;
                let names = OfflineNames {
                    description,
                    policy: policy.as_ref(),
                    store: &*store,
                    state_dir,
                };
                Answer::of(asker, &packet, &frame, (role, Some(point.index)), &names)?
            }
            None => Answer::without_filter(point.other_program),
        };
        answers.push((point, answer));
    }
    let asked = first.and_then(|first| asked.remove(&first));
    let (policy_file, policy) = match asked {
        Some(asked) => {
            let policy = asked.policy.map(|known| known.policy);
            (Some(asked.description.policy_file), policy)
        }
        None => (None, None),
    };
    Ok(Offline {
        explanation: Explanation::new(packet, &nat64, answers),
        policy_file,
        policy,
        store,
        store_error,
    })
}

/// The interfaces of this network namespace, and the programs of op25b in the kernel.
struct Host<'a> {
    interfaces: Interfaces,
    programs: Vec<AttachedProgram>,
    state_dir: &'a Path,
}

impl Host<'_> {
    fn program(&self, id: u32) -> Option<&AttachedProgram> {
        self.programs.iter().find(|program| program.id == id)
    }

    fn role_of(&self, id: u32) -> Option<Role> {
        self.program(id).map(|program| program.role)
    }

    /// The interface that was asked for, or those on which a filter for subscribers runs, with the subscriber interfaces of its
    /// policy that exist without it.
    fn points(&self, connection: &Connection) -> Result<Vec<Point>, OfflineError> {
        let find = |name: &str| Point::find(&self.interfaces, name, |id| self.role_of(id));
        if let Some(name) = &connection.interface {
            let point = find(name)?;
            check_direction(&point, connection)?;
            return Ok(vec![point]);
        }
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if let Ok(point) = find(name)
                && !names.contains(&point.interface)
            {
                names.push(point.interface);
            }
        };
        for interface in self.interfaces.iter() {
            let mut running = interface.xdp.iter();
            if running.any(|xdp| self.role_of(xdp.program_id) == Some(Role::Subscriber)) {
                add(&interface.name);
            }
        }
        let running = self.interfaces.iter().flat_map(|interface| &interface.xdp);
        let mut running: Vec<u32> = running.map(|xdp| xdp.program_id).collect();
        running.sort_unstable();
        running.dedup();
        for program in running.into_iter().filter_map(|id| self.program(id)) {
            // One that cannot be read is refused when it is asked.
            let interfaces = program.description().map(|description| description.interfaces);
            for summary in interfaces.unwrap_or_default() {
                if summary.role == Role::Subscriber.name() {
                    add(&summary.name);
                }
            }
        }
        Ok(names.iter().filter_map(|name| find(name).ok()).collect())
    }

    /// The filters at these points, by their programs.
    fn ask(&self, points: &[Point]) -> Result<BTreeMap<u32, Asked>, OfflineError> {
        let mut asked = BTreeMap::new();
        for point in points {
            let Some(program) = point.program.and_then(|(id, _)| self.program(id)) else {
                continue;
            };
            if asked.contains_key(&program.id) {
                continue;
            }
            let refused = |source| OfflineError::Ask {
                interface: point.interface.clone(),
                source: Box::new(source),
            };
            let description = program.description().map_err(refused)?;
            asked.insert(
                program.id,
                Asked {
                    asker: program.asker(&description, &self.programs).map_err(refused)?,
                    policy: KnownPolicy::of(&description, self.state_dir),
                    description,
                },
            );
        }
        Ok(asked)
    }
}

impl KnownPolicy {
    /// The policy of a filter: the policy file, or else one that is kept in the state directory, if it has the digest that was loaded.
    fn of(description: &Description, state_dir: &Path) -> Option<Self> {
        let (sha256, path) = (&description.policy_sha256, &description.policy_file);
        if let Ok(file) = policy::read(path)
            && file.sha256 == *sha256
        {
            return Some(Self {
                policy: file.policy,
                is_file: true,
            });
        }
        let kept = [Slot::Unconfirmed, Slot::LastGood].into_iter().find_map(|slot| {
            let kept = KeptPolicy::read(state_dir, slot).ok()??;
            (kept.origin.sha256 == *sha256).then_some(kept)
        });
        let KeptPolicy { text, lists, .. } = kept?;
        let file = policy::read_texts(path, text, lists, &description.reached).ok()?;
        Some(Self {
            policy: file.policy,
            is_file: false,
        })
    }
}

impl KnownPolicy {
    /// A rule without what points into the file, which has another text now.
    fn without_positions(&self, rule: policy::Rule, found: MatchedRule) -> MatchedRule {
        let id = match rule {
            policy::Rule::Exemption(number) => self.policy.exemptions[number].id.as_ref(),
            policy::Rule::Pool(_) | policy::Rule::Relay(_) => None,
        };
        MatchedRule {
            id: id.map(ToString::to_string),
            position: None,
            list: None,
            ..found
        }
    }
}

impl Asked {
    /// Refuses IPv4 from an IPv6 source if it is not known whether the policy translates it.
    fn check_translation(&self, connection: &Connection) -> Result<(), OfflineError> {
        let is_to_v4 = connection
            .destination
            .is_some_and(|destination| destination.is_ipv4());
        if self.policy.is_none() && connection.source.is_ipv6() && is_to_v4 && connection.tunnels.is_empty() {
            return Err(OfflineError::Translation(self.description.policy_file.clone()));
        }
        Ok(())
    }

    /// A destination that no relay and no exemption names: by the policy, or else by what the filter does.
    fn sample(
        &mut self,
        connection: &Connection,
        source: IpAddr,
        store: &dyn Records,
    ) -> Result<IpAddr, OfflineError> {
        let found = if let Some(known) = &self.policy {
            let records = covering(store, source).unwrap_or_default();
            let nat64 = &known.policy.nat64;
            let destinations = records.iter().flat_map(|record| &record.terms.destinations);
            let named: Vec<IpNet> = destinations.flat_map(|net| nat64.with_translated(*net)).collect();
            let is_named = |address: &IpAddr| named.iter().any(|net| net.contains(address));
            policy::sample_destination(&known.policy, source, is_named)
        } else {
            let is_general = self
                .asker
                .class(source)
                .ok()
                .flatten()
                .is_some_and(|class| i64::from(class.until) > Timestamp::now().as_second());
            let asker = &mut self.asker;
            let mut samples = policy::sample_destinations(source).take(16);
            samples.find(|destination| {
                let packet = Packet::new(source, *destination, connection.port);
                let decision = packet
                    .frame()
                    .ok()
                    .and_then(|frame| asker.ask(Role::Subscriber, None, &frame).ok());
                decision.is_some_and(|decision| match decision.reason {
                    Reason::Relay => false,
                    Reason::Exempt => is_general,
                    _ => true,
                })
            })
        };
        found.ok_or(OfflineError::NoSample)
    }
}

/// The stored exemptions of a source that are in force.
fn covering(store: &dyn Records, source: IpAddr) -> Result<Vec<Record>, StoreError> {
    let query = Query {
        within: Some(source.into()),
        limit: MOST_RECORDS,
        ..Query::default()
    };
    store.list(&query, Timestamp::now())
}

/// The names that can be known without a daemon.
struct OfflineNames<'a> {
    description: &'a Description,
    policy: Option<&'a KnownPolicy>,
    store: &'a dyn Records,
    state_dir: &'a Path,
}

impl Names for OfflineNames<'_> {
    fn rule(&self, decision: Decision, flow: &Flow, class: Option<&Class>) -> Option<MatchedRule> {
        let rule = numbered(decision)?;
        if let Some(known) = self.policy {
            let in_file = known.policy.exemptions_in_file().len();
            if !matches!(rule, policy::Rule::Exemption(number) if number >= in_file) {
                let found = rule_in_policy(&known.policy, rule, flow)?;
                return Some(if known.is_file {
                    found
                } else {
                    known.without_positions(rule, found)
                });
            }
        }
        Some(match rule {
            policy::Rule::Pool(number) => self.pool(number, flow)?,
            policy::Rule::Relay(number) => unnamed(
                RuleKind::Relay,
                format!(
                    "number {} of the policy of {}, whose file has changed since",
                    number + 1,
                    self.description.loaded_at
                ),
            ),
            policy::Rule::Exemption(_) => self.stored(flow, class),
        })
    }
}

impl OfflineNames<'_> {
    /// A pool, by the description in the kernel.
    fn pool(&self, number: usize, flow: &Flow) -> Option<MatchedRule> {
        let prefixes = self.description.pool_prefixes.get(number).into_iter().flatten();
        let around = prefixes.filter(|net| net.contains(&flow.source));
        Some(MatchedRule {
            prefix: around.max_by_key(|net| net.prefix_len()).copied(),
            ..unnamed(RuleKind::Pool, self.description.pools.get(number)?.name.clone())
        })
    }

    /// A stored exemption: of those that cover the connection one that ends when the kernel's does, the most specific one.
    fn stored(&self, flow: &Flow, class: Option<&Class>) -> MatchedRule {
        let nat64 = self
            .policy
            .map(|known| known.policy.nat64.clone())
            .unwrap_or_default();
        let reaches = |record: &Record| {
            let destinations = &record.terms.destinations;
            let mut nets = destinations.iter().flat_map(|net| nat64.with_translated(*net));
            destinations.is_empty() || nets.any(|net| net.contains(&flow.destination))
        };
        let end = class.map(|class| i64::from(class.until));
        let ends_with_the_kernels = |record: &Record| {
            let expiry = record.terms.expires_at.map(Timestamp::as_second);
            record.terms.destinations.is_empty()
                && end == Some(expiry.unwrap_or(i64::from(op25b_common::values::NEVER)))
        };
        let longest = |record: &Record| {
            let around = record
                .terms
                .prefixes
                .iter()
                .filter(|net| net.contains(&flow.source));
            around.map(IpNet::prefix_len).max()
        };
        let records = covering(self.store, flow.source).unwrap_or_default();
        let found = records
            .iter()
            .filter(|record| reaches(record))
            .max_by_key(|record| (ends_with_the_kernels(record), longest(record)));
        match found {
            Some(record) => stored_rule(record, flow),
            None => unnamed(
                RuleKind::Exemption,
                format!("that the store in {} does not name", self.state_dir.display()),
            ),
        }
    }
}

fn unnamed(kind: RuleKind, name: String) -> MatchedRule {
    MatchedRule {
        kind,
        name,
        id: None,
        ticket: None,
        prefix: None,
        position: None::<Position>,
        list: None,
    }
}
