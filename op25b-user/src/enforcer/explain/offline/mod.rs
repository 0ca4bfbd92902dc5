//! Explains a connection without a daemon: by the filters that run on the interfaces of this network namespace.
//!
//! The verdict is the kernel's. Names are those of the policy file, if it is the one that was loaded, or of the last good policy
//! in the state directory; stored exemptions are those of the store there.

mod names;
mod policy;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::Reason;
use thiserror::Error;

use self::{
    names::{OfflineNames, covering},
    policy::KnownPolicy,
};
use super::{Answer, Connection, Explanation, answer::NoAnswer, check_direction, connection::Impossible};
use crate::{
    datapath::{
        Description, Interfaces, InterfacesError,
        ask::{AskError, Asker, AttachedProgram, NoPoint, Point, attached_programs},
        probe::{MixedFamilies, Packet},
    },
    policy::{Nat64, Policy, Role, sample_destination, sample_destinations},
    store::{NoRecords, Records, sqlite},
};

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
    #[error(transparent)]
    Interfaces(#[from] InterfacesError),
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
        "{0} was changed since it was loaded or cannot be read, so that it is not known whether IPv4 is translated: give `--tunnel 4in6` for \
         DS-Lite, or the translated destination"
    )]
    Translation(PathBuf),
}

/// Whether the store and the policy's files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// They are.
    Read,
    /// They are not, as their disk has not answered.
    Hangs,
}

/// A filter that is asked, with what is known of its policy.
struct Asked {
    asker: Asker,
    description: Description,
    policy: Option<KnownPolicy>,
}

/// What a filter does with a connection. The store is the one in `state_dir`.
pub(crate) fn explain(
    connection: &Connection,
    state_dir: &Path,
    disk: Disk,
) -> Result<Offline, OfflineError> {
    let interfaces = Interfaces::list()?;
    let opened = match disk {
        Disk::Read => sqlite::open_read_only(state_dir).map_err(|error| error.to_string()),
        Disk::Hangs => Err(format!("the disk of {} does not answer", state_dir.display())),
    };
    let (store, store_error) = match opened {
        Ok(Some(store)) => (Box::new(store) as Box<dyn Records>, None),
        Ok(None) => (Box::new(NoRecords) as Box<dyn Records>, None),
        Err(error) => (Box::new(NoRecords) as Box<dyn Records>, Some(error)),
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
        disk,
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
            None => sample_destinations(source).next().ok_or(OfflineError::NoSample),
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
    disk: Disk,
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
                    policy: match self.disk {
                        Disk::Read => KnownPolicy::of(&description, self.state_dir),
                        Disk::Hangs => None,
                    },
                    description,
                },
            );
        }
        Ok(asked)
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
            sample_destination(&known.policy, source, is_named)
        } else {
            let is_general = self
                .asker
                .class(source)
                .ok()
                .flatten()
                .is_some_and(|class| i64::from(class.until) > Timestamp::now().as_second());
            let asker = &mut self.asker;
            let mut samples = sample_destinations(source).take(16);
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
