//! Has what is recorded of a subscriber or a customer forgotten: in the kernel, in the history, and in the other files of the state
//! directory.

mod customer;
mod steps;

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use self::steps::Steps;
use super::{
    super::{body, openapi::BodyProblems, shared::Shared},
    parameters::prefix,
};
use crate::{
    api::{ForgetSubscribers, Forgotten, Problem},
    daemon::request::Caller,
    store::{
        activity::{Forget, Which},
        sessions::Sessions,
    },
    time::Reader,
};

pub(super) use self::customer::{__path_forget_customer, forget_customer};

/// Removes what is recorded of an address or of all in a prefix: from the kernel, the history, the sessions, and from what was kept of
/// detached filters. The record of operations has a digest instead of the address.
#[utoipa::path(
    operation_id = "forget_subscribers",
    post, path = "/v1/subscribers/forget", tag = "daemon",
    request_body = ForgetSubscribers,
    responses((status = 200, description = "It is gone.", body = Forgotten), BodyProblems)
)]
pub(super) async fn forget(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(forget): body::Json<ForgetSubscribers>,
) -> Result<Json<Forgotten>, Problem> {
    forget.check_limits()?;
    let prefix = prefix(&forget.prefix)?.trunc();
    let before = forget.older.as_deref().map(older).transpose()?;
    let mut steps = Steps::of(&shared, move |key| key.digest(prefix)).await?;
    let removed = async {
        steps
            .activity(vec![Forget {
                within: prefix,
                which: before.map_or(Which::All, Which::Before),
            }])
            .await?;
        steps
            .sessions(move |sessions: &mut Sessions| sessions.remove_within(prefix, before))
            .await
    };
    let removed = removed.await;
    steps.note(removed, caller, forget.reason, "prefix").await
}

/// The time that is so long ago.
fn older(text: &str) -> Result<Timestamp, Problem> {
    let now = Timestamp::now();
    let older = Reader::new(now, &TimeZone::system()).duration(text);
    let before = older.map(|older: SignedDuration| now.checked_sub(older).unwrap_or(Timestamp::MIN));
    before.map_err(|error| Problem::invalid(format!("older: {error}")))
}
