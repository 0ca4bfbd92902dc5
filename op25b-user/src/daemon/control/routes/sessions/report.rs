//! Records sessions that begin, last or end now, and cuts the history of their addresses there.

use std::path::Path;

use axum::{Json, extract::State};
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    super::super::{body, limits, openapi::BodyProblems, shared::Shared},
    silent_disk, state_dir,
    store::open,
};
use crate::{
    api::{Problem, ReportedSessions, RowProblem, SessionEvent, SessionEvents},
    daemon::events::scrapes::Scrape,
    session::formats::prefix,
    store::sessions::Added,
};

/// Records that sessions begin, last or end: all of them, or none. What an address does from then on is in the history apart from what it
/// did before.
#[utoipa::path(
    operation_id = "report_sessions",
    post, path = "/v1/sessions", tag = "sessions",
    request_body = SessionEvents,
    responses((status = 200, description = "They are recorded.", body = ReportedSessions), BodyProblems)
)]
pub(in super::super) async fn report(
    State(shared): State<Shared>,
    body::Json(events): body::Json<SessionEvents>,
) -> Result<Json<ReportedSessions>, Problem> {
    let events = match events {
        SessionEvents::One(event) => vec![event],
        SessionEvents::Several(events) => events,
    };
    let all = events
        .iter()
        .filter_map(|event| prefix(&event.prefix).ok())
        .collect();
    let state_dir = state_dir(&shared)?;
    let work = move || record(&state_dir, events, Timestamp::now());
    let recorded = match timeout(limits::READ_TIME, shared.readers.work(work)).await {
        Ok(recorded) => recorded.and_then(|recorded| recorded),
        Err(_) => Err(silent_disk()),
    };
    let Recorded { mut report, changed } = match recorded {
        Ok(recorded) => recorded,
        Err(problem) => {
            // The address changes hands all the same. Who reports it does so again.
            if problem.status >= 500 {
                let _ = shared
                    .scrape(limits::READ_TIME, |answer| Scrape::Cut(all, answer))
                    .await;
            }
            return Err(problem);
        }
    };
    if !changed.is_empty() {
        let cut = shared.scrape(limits::READ_TIME, |answer| Scrape::Cut(changed, answer));
        if cut.await.is_err() {
            report.warnings.push(
                "the history was not cut: what the addresses do from now on may be in one bucket with what they did before".to_owned(),
            );
        }
    }
    Ok(Json(report))
}

/// What was recorded.
struct Recorded {
    report: ReportedSessions,
    /// The prefixes of sessions that have begun or ended, as far as was known.
    changed: Vec<IpNet>,
}

fn record(state_dir: &Path, events: Vec<SessionEvent>, now: Timestamp) -> Result<Recorded, Problem> {
    let (mut sessions, warnings) = open(state_dir)?;
    let mut import = sessions.import()?;
    let (mut changed, mut wrong) = (Vec::new(), Vec::new());
    for (number, event) in (1..).zip(events) {
        let known = |customer: &str, prefix| import.open_since(customer, prefix);
        let session = match event.read(now, known)? {
            Ok(session) => session,
            Err(detail) => {
                wrong.push(RowProblem { line: number, detail });
                continue;
            }
        };
        let before = import.added();
        import.add(&session)?;
        let after = import.added();
        // One that only lasts is the same customer's still.
        if after.added > before.added || (after.extended > before.extended && session.end.is_some()) {
            changed.push(session.prefix);
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::invalid_rows(
            "nothing was recorded: some of them are no sessions",
            wrong,
        ));
    }
    let Added {
        added,
        extended,
        unchanged,
    } = import.added();
    import.commit()?;
    Ok(Recorded {
        report: ReportedSessions {
            added,
            extended,
            unchanged,
            warnings,
        },
        changed,
    })
}
