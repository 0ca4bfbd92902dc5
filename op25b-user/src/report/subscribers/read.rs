//! Reads the subscribers' records of the filters that run.

use ipnet::IpNet;
use jiff::Timestamp;
use thiserror::Error;

use super::{
    pools::Pools,
    query::SubscriberQuery,
    row::{FilterSubscribers, MissesRow, Times, row},
    top::Top,
};
use crate::datapath::{
    Description, MapError, SubscriberRecords,
    discover::{self, DiscoverError, Found, FoundInterface},
};

/// Why there is no report on subscribers.
#[derive(Debug, Error)]
pub enum SubscribersError {
    /// The filters cannot be found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The records cannot be read.
    #[error("cannot read the records of subscribers")]
    Records(#[from] MapError),
    /// The system's clocks cannot be read.
    #[error("cannot read the system's clocks")]
    Clock(#[from] nix::Error),
    /// The records are of another version.
    #[error(
        "the filter on {interfaces} was loaded by another version of op25b, whose records of subscribers this one \
         ({}) cannot read",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// Where the filter runs.
        interfaces: String,
    },
    /// No filter has this pool.
    #[error("no filter here has a pool {pool:?}; there {}", match .known.as_str() {
        "" => "are none".to_owned(),
        known => format!("is {known}"),
    })]
    NoPool {
        /// The pool of the query.
        pool: String,
        /// The pools of the filters.
        known: String,
    },
}

/// Reports the subscribers of every filter on interfaces of this network namespace, from the kernel alone.
pub fn subscribers(query: &SubscriberQuery) -> Result<Vec<FilterSubscribers>, SubscribersError> {
    let Found { filters, unreadable } = discover::find()?;
    if let Some(filter) = unreadable.first() {
        let interfaces = names(&filter.interfaces);
        return Err(SubscribersError::OtherVersion { interfaces });
    }
    let filters = filters.into_iter().map(|filter| match filter.records {
        Some(records) => Ok(FilterRecords {
            interfaces: filter
                .interfaces
                .into_iter()
                .map(|interface| interface.name)
                .collect(),
            description: filter.description,
            records,
        }),
        None => Err(SubscribersError::OtherVersion {
            interfaces: names(&filter.interfaces),
        }),
    });
    subscribers_of(&filters.collect::<Result<Vec<_>, _>>()?, query)
}

/// The records of one filter, with what is known of it.
#[derive(Debug)]
pub(crate) struct FilterRecords {
    /// The interfaces that it runs on.
    pub(crate) interfaces: Vec<String>,
    pub(crate) description: Description,
    pub(crate) records: SubscriberRecords,
}

/// Reports the subscribers of filters.
pub(crate) fn subscribers_of(
    filters: &[FilterRecords],
    query: &SubscriberQuery,
) -> Result<Vec<FilterSubscribers>, SubscribersError> {
    check_pool(query.pool.as_deref(), filters)?;
    let times = Times::now()?;
    let reports = filters.iter().map(|filter| of_filter(filter, query, times));
    reports.collect()
}

/// Refuses a pool that no filter has, if there are any.
pub(super) fn check_pool(pool: Option<&str>, filters: &[FilterRecords]) -> Result<(), SubscribersError> {
    let known = filters.iter().flat_map(|filter| &filter.description.pools);
    let known: Vec<_> = known.map(|pool| pool.name.as_str()).collect();
    match pool {
        Some(pool) if !filters.is_empty() && !known.contains(&pool) => Err(SubscribersError::NoPool {
            pool: pool.to_owned(),
            known: known.join(", "),
        }),
        _ => Ok(()),
    }
}

/// Visits each subscriber of a filter who has a record, with the time of the last packet.
pub(crate) fn attempts(
    filter: &FilterRecords,
    visit: &mut dyn FnMut(IpNet, Timestamp),
) -> Result<(), SubscribersError> {
    let times = Times::now()?;
    let records = &filter.records;
    records.each(|net, record| visit(net, times.at(record.hot.last_seen)))?;
    Ok(())
}

fn names(interfaces: &[FoundInterface]) -> String {
    let names: Vec<_> = interfaces.iter().map(|interface| &*interface.name).collect();
    names.join(", ")
}

fn of_filter(
    filter: &FilterRecords,
    query: &SubscriberQuery,
    times: Times,
) -> Result<FilterSubscribers, SubscribersError> {
    let FilterRecords {
        interfaces,
        description,
        records,
    } = filter;
    let pools = Pools::new(description);
    let mut top = Top::new(query.top, |one, other| query.sort.compare(one, other, &pools));
    let (mut remembered, mut matching) = (0, 0);
    records.each(|net, record| {
        remembered += 1;
        if query.matches(net, &record, &pools, times) {
            matching += 1;
            top.add((net, record));
        }
    })?;
    let misses = records.misses_v6()?;
    Ok(FilterSubscribers {
        interfaces: interfaces.clone(),
        policy_file: description.policy_file.display().to_string(),
        ipv6_prefix: records.ipv6_prefix(),
        pools_not_remembered: description
            .pools
            .iter()
            .filter(|pool| !pool.remembered && query.pool.as_ref().is_none_or(|name| *name == pool.name))
            .map(|pool| pool.name.clone())
            .collect(),
        remembered,
        matching,
        subscribers: top
            .take()
            .into_iter()
            .map(|(net, record)| row(net, &record, &pools, times))
            .collect(),
        ipv6_misses: MissesRow {
            begun: misses.begun,
            lost: misses.lost,
        },
    })
}
