//! Has a customer forgotten: the sessions, what was done in them, and the notices.

use std::path::Path;

use axum::{Json, extract::State};
use jiff::Timestamp;

use super::{
    super::super::{body, openapi::BodyProblems, shared::Shared},
    steps::Steps,
};
use crate::{
    api::{ForgetCustomer, Forgotten, Problem},
    daemon::request::Caller,
    session::{Session, formats::customer},
    store::{
        StoreError,
        activity::{Forget, Which},
        sessions::{SessionQuery, SessionsReader},
    },
};

/// Removes a customer: the sessions, what was done in them with their addresses and prefixes, and the notices. The record of operations
/// has a digest instead of the name.
#[utoipa::path(
    operation_id = "forget_customer",
    post, path = "/v1/sessions/forget", tag = "sessions",
    request_body = ForgetCustomer,
    responses((status = 200, description = "The customer is gone.", body = Forgotten), BodyProblems)
)]
pub(in super::super) async fn forget_customer(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(forget): body::Json<ForgetCustomer>,
) -> Result<Json<Forgotten>, Problem> {
    forget.check_limits()?;
    let name = customer(&forget.customer).map_err(Problem::invalid)?;
    let mut steps = Steps::of(&shared, {
        let name = name.clone();
        move |key| key.digest_of_customer(&name)
    })
    .await?;
    let removed = async {
        let of_customer = name.clone();
        let activity = steps
            .read(move |state_dir| in_sessions(state_dir, &of_customer))
            .await?;
        steps.activity(activity).await?;
        let of_customer = name.clone();
        steps
            .notices(move |notices| notices.remove_customer(&of_customer))
            .await?;
        // Last: as long as they are there, it can be done again.
        steps
            .sessions(move |sessions| sessions.remove_customer(&name))
            .await
    };
    let removed = removed.await;
    steps.note(removed, caller, forget.reason, "customer").await
}

/// What was done in the sessions of a customer. One without an end lasts until the address is another customer's.
fn in_sessions(state_dir: &Path, name: &str) -> Result<Vec<Forget>, StoreError> {
    let Some(reader) = SessionsReader::open(state_dir)? else {
        return Ok(Vec::new());
    };
    let mut forget = Vec::new();
    for session in reader.of_customer(name)? {
        let to = match session.end {
            Some(end) => Some(end),
            None => next_of_another(&reader, &session)?,
        };
        forget.push(Forget {
            within: session.prefix,
            which: Which::During(session.start, to),
        });
    }
    Ok(forget)
}

/// When the first session of another customer begins that overlaps a session's prefix, after it was seen last.
fn next_of_another(reader: &SessionsReader, session: &Session) -> Result<Option<Timestamp>, StoreError> {
    let query = SessionQuery {
        since: Some(session.seen),
        within: Some(session.prefix),
        ..SessionQuery::default()
    };
    let mut next: Option<Timestamp> = None;
    reader.each(&query, |other| {
        if other.customer != session.customer && other.start > session.seen {
            next = Some(next.map_or(other.start, |next| next.min(other.start)));
        }
    })?;
    Ok(next)
}
