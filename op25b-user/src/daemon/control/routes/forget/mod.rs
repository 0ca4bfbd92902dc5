//! Has records of subscribers forgotten.

use std::path::Path;

use axum::{Json, extract::State};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    super::{body, limits, openapi::BodyProblems, shared::Shared},
    parameters::prefix,
};
use crate::{
    api::{ForgetSubscribers, Forgotten, Problem},
    counted::counted,
    daemon::{events::scrapes::Scrape, request::Caller},
    report::{FilterRecords, forgotten},
    state_dir::{AuditKey, forget_detached},
    store::{Operation, OperationKind},
    time::Reader,
};

/// Removes the records of an address or of all in a prefix from the kernel and from what was kept of detached filters. The record of
/// operations has a digest instead of the address.
#[utoipa::path(
    operation_id = "forget_subscribers",
    post, path = "/v1/subscribers/forget", tag = "daemon",
    request_body = ForgetSubscribers,
    responses((status = 200, description = "The records are gone.", body = Forgotten), BodyProblems)
)]
pub(super) async fn forget(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(forget): body::Json<ForgetSubscribers>,
) -> Result<Json<Forgotten>, Problem> {
    forget.check_limits()?;
    let prefix = prefix(&forget.prefix)?.trunc();
    let older = forget.older.as_deref().map(duration).transpose()?;
    let records = shared.scrape(limits::TURN, Scrape::Records).await?;
    let state_dir = shared.state_dir()?;
    let work = move || remove(records, &state_dir, prefix, older);
    let forgotten = shared.readers.work(work).await?;
    let forgotten = forgotten.map_err(|error| Problem::internal(format!("{error:#}")))?;
    let count = usize::try_from(forgotten.records).unwrap_or(usize::MAX);
    let operation = Operation::now(OperationKind::Forget, caller.actor).with_detail(format!(
        "{} of subscribers; the digest of the prefix is {}",
        counted(count, "record"),
        forgotten.digest
    ));
    let operation = Operation {
        reason: Some(forget.reason),
        ..operation
    };
    shared.note(operation).await?;
    Ok(Json(forgotten))
}

fn duration(text: &str) -> Result<SignedDuration, Problem> {
    let older = Reader::new(Timestamp::now(), &TimeZone::system()).duration(text);
    older.map_err(|error| Problem::invalid(format!("older: {error}")))
}

fn remove(
    mut filter: FilterRecords,
    state_dir: &Path,
    prefix: IpNet,
    older: Option<SignedDuration>,
) -> anyhow::Result<Forgotten> {
    // First: without a digest nothing would say who had them removed.
    let digest = AuditKey::of(state_dir)?.digest(prefix);
    let erased = filter.records.erase(forgotten(prefix, older)?)?;
    let oldest = older
        .map(|older| Timestamp::now().checked_sub(older))
        .transpose()?;
    Ok(Forgotten {
        records: erased.whole,
        rows: forget_detached(state_dir, prefix, oldest)?,
        digest,
    })
}
