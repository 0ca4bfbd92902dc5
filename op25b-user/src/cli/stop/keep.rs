//! Writes what a filter has counted to the state directory before it is detached, and records the operation.
//!
//! Neither a disk nor a record that cannot be read keeps the filter from being detached.

use std::{path::Path, time::Duration};

use anyhow::bail;
use jiff::Timestamp;
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::{
    counted::counted,
    datapath::{
        Counters,
        discover::{self, FoundFilter},
        pinned_elsewhere, pinned_programs,
    },
    policy::Role,
    report::{FilterRecords, FilterSubscribers, SortOrder, SubscriberQuery, subscribers_of},
    schema::{Document, Schema},
    state_dir,
    store::{Actor, Operation, OperationKind, sqlite},
};

/// How long the disk may take.
const DISK_TIME: Duration = Duration::from_secs(10);

/// What a filter had counted when it was detached.
#[derive(Debug, Serialize)]
pub(super) struct Detached {
    at: Timestamp,
    by: Actor,
    filters: Vec<DetachedFilter>,
}

#[derive(Debug, Serialize)]
struct DetachedFilter {
    interfaces: Vec<String>,
    policy_file: String,
    policy_sha256: String,
    loaded_at: Timestamp,
    counters: Counters,
    uplink_counters: Counters,
    /// None if another version of op25b loaded the filter.
    subscribers: Option<FilterSubscribers>,
}

/// Writes the counters and records of the filter that is pinned in a directory. Returns what to say about it, if there is a filter.
pub(super) fn keep(bpffs: &Path, state_dir: &Path) -> anyhow::Result<Option<String>> {
    if let Some(elsewhere) = pinned_elsewhere(bpffs)? {
        bail!(
            "the filter runs in another network namespace, {}: run `stop --detach` there to keep them",
            elsewhere.namespace
        );
    }
    let pinned = pinned_programs(bpffs)?;
    if pinned.is_empty() {
        return Ok(None);
    }
    let found = discover::find()?;
    let is_ours = |filter: &FoundFilter| {
        let mut interfaces = filter.interfaces.iter();
        interfaces.any(|interface| pinned.contains(&interface.program_id))
    };
    let filters = found.filters.into_iter().filter(is_ours);
    let filters = filters.map(detached).collect::<anyhow::Result<Vec<_>>>()?;
    if filters.is_empty() {
        let is_ours = |program| pinned.contains(&program);
        for filter in found.unreadable {
            if filter
                .interfaces
                .iter()
                .any(|interface| is_ours(interface.program_id))
            {
                bail!("another version of op25b loaded the filter: {}", filter.why);
            }
        }
        return Ok(None);
    }
    let subscribers: usize = filters
        .iter()
        .filter_map(|filter| filter.subscribers.as_ref())
        .map(|subscribers| subscribers.subscribers.len())
        .sum();
    let document = Detached {
        at: Timestamp::now(),
        by: caller(),
        filters,
    };
    let text = serde_json::to_string_pretty(&Document::new(Schema::Detached, &document))?;
    let (dir, at) = (state_dir.to_owned(), document.at);
    let path = state_dir::in_time(
        DISK_TIME,
        || (),
        move || state_dir::write_detached(&dir, at, &text),
    )??;
    Ok(Some(format!(
        "wrote the counters and the records of {} to {}",
        counted(subscribers, "subscriber"),
        path.display()
    )))
}

fn detached(filter: FoundFilter) -> anyhow::Result<DetachedFilter> {
    let interfaces: Vec<_> = filter
        .interfaces
        .into_iter()
        .map(|interface| interface.name)
        .collect();
    let description = filter.description;
    let (policy_file, policy_sha256, loaded_at) = (
        description.policy_file.display().to_string(),
        description.policy_sha256.clone(),
        description.policy_loaded_at(),
    );
    let records = filter.records.map(|records| FilterRecords {
        interfaces: interfaces.clone(),
        description,
        records,
    });
    let everything = SubscriberQuery {
        pool: None,
        within: None,
        since: None,
        sort: SortOrder::default(),
        top: 0,
    };
    let subscribers = records.map(|records| subscribers_of(&[records], &everything));
    Ok(DetachedFilter {
        interfaces,
        policy_file,
        policy_sha256,
        loaded_at,
        counters: filter.counters.of(Role::Subscriber),
        uplink_counters: filter.counters.of(Role::Uplink),
        subscribers: subscribers
            .transpose()?
            .and_then(|filters| filters.into_iter().next()),
    })
}

/// Records in the store that the filter was detached; without a store there is nothing to record it in.
pub(super) fn record(state_dir: &Path, interfaces: &[String]) -> anyhow::Result<()> {
    let operation = Operation::now(OperationKind::Detach, caller())
        .with_detail(format!("from {}", interfaces.join(", ")));
    let dir = state_dir.to_owned();
    state_dir::in_time(
        DISK_TIME,
        || (),
        move || sqlite::record_operation(&dir, &operation),
    )??;
    Ok(())
}

/// The user who runs this command.
fn caller() -> Actor {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten();
    Actor {
        uid: uid.as_raw(),
        name: user.map_or_else(|| uid.to_string(), |user| user.name),
    }
}
