//! The verdict of the program in the kernel on an address, at each place where its packets may arrive: the subscriber interfaces,
//! and the tunnels that are enabled on them.

use std::net::IpAddr;

use op25b_common::Tunnel;

use super::{Args, source::Source};
use crate::{
    api::Explained,
    cli::{
        explain::answer::{Answered, explain},
        policy_file,
    },
    datapath::pinned_policy,
    enforcer::Connection,
    policy::{Policy, Role},
    report::{InterfaceState, NO_FILTER, Observed, PlaceVerdict, Pools, status},
};

/// The places, and what is known of the policy.
pub(super) struct Verdicts<'a> {
    args: &'a Args,
    /// The subscriber interfaces that do not exist.
    missing: Vec<String>,
    pools: Pools,
    /// The tunnels that are enabled, each with its interfaces.
    tunnels: Vec<(Tunnel, Vec<String>)>,
    has_filter: bool,
}

impl<'a> Verdicts<'a> {
    /// Reads what is enforced. What cannot be known is added to `left_out`.
    pub(super) fn open(args: &'a Args, source: &Source, left_out: &mut Vec<String>) -> anyhow::Result<Self> {
        let status = match source {
            Source::Daemon { report, .. } => (**report).clone(),
            Source::Disk { .. } => status(&args.paths.bpffs)?.status,
        };
        let pinned = pinned_policy(&args.paths.bpffs).ok().flatten();
        let description = pinned.map(|pinned| pinned.description);
        let is_subscriber = |name: &str| {
            let known = description.iter().flat_map(|description| &description.interfaces);
            let mut known = known.filter(|interface| interface.name == name);
            known
                .next()
                .is_none_or(|interface| interface.role == Role::Subscriber.name())
        };
        let missing = status
            .interfaces
            .iter()
            .filter(|report| report.state == InterfaceState::Missing && is_subscriber(&report.name))
            .map(|report| report.name.clone());
        let missing = missing.collect();
        let (file, sha256) = (status.policy_file.clone(), status.policy_sha256.clone());
        let policy = file.zip(sha256).and_then(|(file, sha256)| {
            let read = policy_file::read(&file).ok();
            let policy = read.filter(|read| read.sha256 == sha256).map(|read| read.policy);
            if policy.is_none() {
                left_out.push(format!(
                    "the tunnels of the interfaces: {} cannot be read, or was changed since it was loaded",
                    file.display()
                ));
            }
            policy
        });
        Ok(Self {
            args,
            missing,
            pools: Pools::new(
                &status.pools,
                description
                    .as_ref()
                    .map_or(&[], |description| &description.pool_prefixes),
                policy.as_ref().map(|policy| policy.block.unlisted),
            ),
            tunnels: policy.as_ref().map_or_else(Vec::new, enabled),
            has_filter: false,
        })
    }

    /// Whether the filter runs at one of the places that were asked about.
    pub(super) fn has_filter(&self) -> bool {
        self.has_filter
    }

    /// The pools, as far as they are known.
    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The same, of verdicts that are no longer needed.
    pub(super) fn into_pools(self) -> Pools {
        self.pools
    }

    /// The verdict at each place.
    pub(super) fn on(&mut self, address: IpAddr) -> anyhow::Result<Vec<PlaceVerdict>> {
        let mut verdicts = Vec::new();
        let connection = Connection {
            destination: self.args.dst,
            ..Connection::from(address)
        };
        let explained = self.explain(&connection)?;
        for elsewhere in explained.elsewhere.clone() {
            let Some(interface) = elsewhere.interfaces.first() else {
                continue;
            };
            let there = self.explain(&Connection {
                interface: Some(interface.clone()),
                ..connection.clone()
            });
            self.add(&mut verdicts, &elsewhere.interfaces, None, there);
        }
        let interfaces = explained.interfaces.clone();
        self.add(&mut verdicts, &interfaces, None, Ok(explained));
        for (tunnel, interfaces) in self.tunnels.clone() {
            if !carries_address_outside(tunnel, address) {
                continue;
            }
            for interface in interfaces {
                // Without a filter the verdict in the tunnel is that of the interface.
                let is_filtered = |verdict: &PlaceVerdict| {
                    verdict.interface == interface && matches!(verdict.observed, Observed::Decided { .. })
                };
                if !verdicts.iter().any(is_filtered) {
                    continue;
                }
                let inside = self.explain(&Connection {
                    interface: Some(interface.clone()),
                    tunnels: vec![tunnel],
                    ..connection.clone()
                });
                self.add(&mut verdicts, &[interface], Some(tunnel), inside);
            }
        }
        verdicts.extend(self.missing.iter().map(|interface| PlaceVerdict {
            interface: interface.clone(),
            tunnel: None,
            observed: Observed::Missing,
        }));
        verdicts.sort_by(|one, other| (&one.tunnel, &one.interface).cmp(&(&other.tunnel, &other.interface)));
        Ok(verdicts)
    }

    fn explain(&self, connection: &Connection) -> anyhow::Result<Explained> {
        let Answered { explained, .. } = explain(connection, &self.args.paths)?;
        Ok(explained)
    }

    /// Adds the verdict at interfaces.
    fn add(
        &mut self,
        verdicts: &mut Vec<PlaceVerdict>,
        interfaces: &[String],
        tunnel: Option<Tunnel>,
        explained: anyhow::Result<Explained>,
    ) {
        let observed = match explained {
            Err(error) => Observed::Unknown {
                why: format!("{error:#}"),
            },
            Ok(explained) if explained.reason == NO_FILTER => Observed::Unfiltered {
                why: explained
                    .other_program
                    .map(|program| format!("another XDP program runs there (id {program})")),
            },
            Ok(explained) => {
                self.has_filter = true;
                Observed::Decided {
                    explained: Box::new(Explained {
                        // Each place has its own verdict here.
                        elsewhere: Vec::new(),
                        ..explained
                    }),
                }
            }
        };
        verdicts.extend(interfaces.iter().map(|interface| PlaceVerdict {
            interface: interface.clone(),
            tunnel: tunnel.map(|tunnel| tunnel.name().to_owned()),
            observed: observed.clone(),
        }));
    }
}

/// The tunnels that a policy enables, each with its interfaces.
fn enabled(policy: &Policy) -> Vec<(Tunnel, Vec<String>)> {
    let mut enabled: Vec<(Tunnel, Vec<String>)> = Vec::new();
    for interface in &policy.interfaces {
        for tunnel in &interface.tunnels {
            match enabled.iter_mut().find(|(other, _)| other == tunnel) {
                Some((_, interfaces)) => interfaces.push(interface.name.clone()),
                None => enabled.push((*tunnel, vec![interface.name.clone()])),
            }
        }
    }
    enabled
}

/// Whether an address can be the outer source of a tunnel whose inner source follows from it. That of 6in4 does not.
fn carries_address_outside(tunnel: Tunnel, address: IpAddr) -> bool {
    match tunnel {
        Tunnel::V4InV6 | Tunnel::V6InV6 => address.is_ipv6(),
        Tunnel::V4InV4 => address.is_ipv4(),
        Tunnel::V6InV4 => false,
        Tunnel::Gre | Tunnel::EthernetInGre | Tunnel::L2tp => true,
    }
}
