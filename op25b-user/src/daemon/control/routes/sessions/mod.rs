//! Sessions: their list, the import of logs of assignments, and what is reported live.

mod import;
mod parameters;
mod report;
mod store;

use std::path::PathBuf;

use axum::{Json, extract::State};
use tokio::time::timeout;

use self::parameters::SessionsQuery;
use super::super::{
    limits,
    openapi::{ReadProblems, Restricted},
    shared::Shared,
};
use super::{parameters::Query, reads::note};
use crate::{
    api::{Problem, ProblemKind, SessionList},
    daemon::request::Caller,
    store::sessions::SessionsReader,
};

pub(super) use self::{
    import::{__path_import, import},
    report::{__path_report, report},
};

/// Lists sessions, by prefix and start.
#[utoipa::path(
    operation_id = "list_sessions",
    get, path = "/v1/sessions", tag = "sessions",
    params(SessionsQuery),
    responses((status = 200, description = "The first sessions that match.", body = SessionList), ReadProblems, Restricted)
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<SessionsQuery>,
) -> Result<Json<SessionList>, Problem> {
    let (query, limit, read) = query.read()?;
    note(&shared, caller, read).await?;
    let state_dir = state_dir(&shared)?;
    let read = shared.readers.work(move || {
        let reader = SessionsReader::open(&state_dir)?;
        reader.map_or(Ok(Vec::new()), |reader| reader.list(&query, limit + 1))
    });
    let Ok(read) = timeout(limits::READ_TIME, read).await else {
        return Err(silent_disk());
    };
    let mut items = read??;
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Json(SessionList { items, more }))
}

/// The directory of the sessions.
fn state_dir(shared: &Shared) -> Result<PathBuf, Problem> {
    let state_dir = shared.view()?.report.state_dir.clone();
    state_dir.ok_or_else(|| {
        Problem::store_unavailable("the daemon has no state directory, in which sessions would be stored")
    })
}

fn silent_disk() -> Problem {
    Problem::new(
        ProblemKind::StoreUnavailable,
        "the disk of the session store does not answer; what is enforced is not affected",
    )
}
