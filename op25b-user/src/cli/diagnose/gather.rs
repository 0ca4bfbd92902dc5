//! Gathers what a diagnosis reports: from the daemon, or without one from the kernel and the disk.

use std::{cmp::Reverse, collections::BTreeSet};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{Args, source::Source, subject, verdicts::Verdicts};
use crate::{
    api::Exemption,
    cli::{daemon::block_on, elsewhere::elsewhere, subscribers},
    daemon::client::Listing,
    fault::{Fault, FaultKind},
    report::{
        AskedKind, Attempts, Diagnosis, FilterState, Observation, SortOrder, SubscriberQuery, Target, divide,
        sort_exemptions,
    },
};

/// The most prefixes that are asked about: a customer may have thousands.
const TARGETS: usize = 32;
/// The most parts of a prefix that are asked about.
const PARTS: usize = 32;
/// The most subscribers whose packets are reported.
const SUBSCRIBERS: usize = 20;
/// The most operations that are reported.
const OPERATIONS: usize = 50;
/// How far back operations are reported.
const LAST_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The diagnosis; `None` if what was asked about is nothing that is known.
pub(super) fn diagnose(args: &Args) -> anyhow::Result<Option<Diagnosis>> {
    let now = Timestamp::now();
    let source = Source::open(&args.paths)?;
    let Some(mut subject) = subject::find(&args.what, &source)? else {
        return Ok(None);
    };
    let mut left_out = source.left_out();
    if let Some(more) = subject
        .prefixes
        .len()
        .checked_sub(TARGETS)
        .filter(|more| *more > 0)
    {
        left_out.push(format!("{more} more prefixes of {} exemptions", args.what));
        subject.prefixes.truncate(TARGETS);
    }
    left_out.extend(elsewhere(&args.paths.bpffs));
    let exemptions = overlapping(&source, &subject.prefixes)?;
    let mut verdicts = Verdicts::open(args, &source, &mut left_out)?;
    let mut targets = Vec::new();
    for prefix in &subject.prefixes {
        let edges = exemptions
            .iter()
            .flat_map(|one| one.terms.prefixes.iter().copied());
        let edges = edges.chain(verdicts.pools().prefixes());
        let (parts, is_cut) = divide(*prefix, edges, PARTS);
        if is_cut {
            left_out.push(format!("parts of {prefix} after the first {}", parts.len()));
        }
        let mut observations = Vec::new();
        for asked in parts {
            let verdicts = verdicts.on(asked.first)?;
            observations.push(Observation { asked, verdicts });
        }
        targets.push(Target::new(*prefix, observations));
    }
    let (attempts, subscriber) = attempts(args, &subject.prefixes, subject.kind, &mut left_out);
    let operations = match source.operations(now - LAST_DAY, OPERATIONS) {
        Ok(operations) => operations,
        Err(error) => {
            left_out.push(format!("what was done to the filter: {error:#}"));
            Vec::new()
        }
    };
    let filter = if verdicts.has_filter() {
        FilterState::Runs
    } else {
        FilterState::None
    };
    let mut diagnosis = Diagnosis {
        asked: args.what.clone(),
        kind: subject.kind,
        at: now,
        daemon: source.has_daemon(),
        filter,
        targets,
        exemptions,
        attempts,
        operations,
        faults: source.faults().into_iter().filter(concerns_verdicts).collect(),
        left_out,
        actions: Vec::new(),
        pools: verdicts.into_pools(),
    };
    diagnosis.add_actions(subscriber);
    Ok(Some(diagnosis))
}

/// The exemptions with an address in common with one of the prefixes, in whatever state.
fn overlapping(source: &Source, prefixes: &[IpNet]) -> anyhow::Result<Vec<Exemption>> {
    let mut found: Vec<Exemption> = Vec::new();
    let mut ids = BTreeSet::new();
    for prefix in prefixes {
        let listing = Listing {
            within: Some(prefix.to_string()),
            all: true,
            ..Listing::default()
        };
        let listed = source.list(&listing)?;
        found.extend(listed.into_iter().filter(|one| ids.insert(one.id.clone())));
    }
    sort_exemptions(&mut found);
    Ok(found)
}

/// What the kernel has counted of the prefixes, and of one address the prefix of its subscriber.
fn attempts(
    args: &Args,
    prefixes: &[IpNet],
    kind: AskedKind,
    left_out: &mut Vec<String>,
) -> (Attempts, Option<IpNet>) {
    let mut attempts = Attempts::default();
    let mut subscriber = None;
    for prefix in prefixes {
        let query = SubscriberQuery {
            pool: None,
            within: Some(*prefix),
            since: None,
            sort: SortOrder::last_seen(),
            top: SUBSCRIBERS,
        };
        let read = block_on(subscribers::read(&query, args.reason.as_deref(), &args.paths));
        let filters = match read.and_then(|filters| filters) {
            Ok(filters) => filters,
            Err(error) => {
                left_out.push(format!("the packets that were counted: {error:#}"));
                break;
            }
        };
        for filter in filters {
            attempts.matching += filter.matching;
            attempts.subscribers.extend(filter.subscribers);
            for pool in filter.pools_not_remembered {
                if !attempts.pools_not_remembered.contains(&pool) {
                    attempts.pools_not_remembered.push(pool);
                }
            }
            if kind == AskedKind::Address && prefix.addr().is_ipv6() {
                let net = IpNet::new(prefix.addr(), filter.ipv6_prefix);
                subscriber = net.ok().map(|net| net.trunc());
            }
        }
    }
    // Nested prefixes have subscribers in common.
    let mut seen = BTreeSet::new();
    attempts
        .subscribers
        .retain(|row| seen.insert(row.subscriber.clone()));
    attempts.subscribers.sort_by_key(|row| Reverse(row.last_seen));
    attempts.subscribers.truncate(SUBSCRIBERS);
    (attempts, subscriber)
}

/// Whether a fault may be why a customer's packets are blocked or pass. The others concern what is kept and who is answered.
fn concerns_verdicts(fault: &Fault) -> bool {
    !matches!(
        fault.kind,
        FaultKind::StateNotKept
            | FaultKind::ControlSocket
            | FaultKind::MetricsServer
            | FaultKind::OperationsNotRecorded
            | FaultKind::RecordsOverdue
    )
}
