//! What is to do next for a pool.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::document::PoolRollout;
use crate::{counted::counted, policy::characters::printable, report::PoolWord, time::show::length};

/// How long a pool is watched before anything is concluded from it.
const WATCHED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is to do next, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// End the pause.
    Resume,
    /// See why the kernel does something else than the policy wants.
    Look,
    /// Have a history recorded.
    RecordHistory,
    /// Watch for a while.
    Watch,
    /// Import the sessions.
    ImportSessions,
    /// Write to customers.
    WriteNotices,
    /// Wait for the next date.
    Wait,
    /// Announce a date.
    Announce,
    /// Add a phase for every destination.
    AddPhase,
    /// See who still tries.
    Report,
    /// Nothing.
    Nothing,
}

/// What is to do next for a pool, in a word and in words.
pub(super) fn next(pool: &PoolRollout, oldest: Option<Timestamp>, now: Timestamp) -> (Step, String) {
    let name = printable(&pool.pool);
    if let Some(pause) = &pool.paused {
        let which = match &pause.pool {
            Some(_) => format!("`op25b resume --pool {name}`"),
            None => "`op25b resume`".to_owned(),
        };
        let text = format!("{which}, once the cause of the pause is mended");
        return (Step::Resume, text);
    }
    if pool.mode == PoolWord::Mixed || pool.differs {
        let text = "`op25b status`: the kernel does not do what the policy wants".to_owned();
        return (Step::Look, text);
    }
    if pool.mode == PoolWord::Enforce {
        // The history has a bucket once it has ended.
        return match pool.subscribers.max(pool.now) {
            Some(0) => (
                Step::Nothing,
                "nothing: nobody has tried in the period".to_owned(),
            ),
            Some(count) => (
                Step::Report,
                format!("`op25b report --pool {name}`: {} tried", subscribers(count)),
            ),
            None => (Step::Nothing, "nothing; who tries is not known".to_owned()),
        };
    }
    let (step, text) = before_the_date(pool, oldest, now);
    let date = pool.next_date.filter(|_| step != Step::Wait);
    let ahead = date.map(|date| {
        format!(
            "; {} begins in {}",
            pool.next_phase(),
            length(date.duration_since(now))
        )
    });
    (step, text + &ahead.unwrap_or_default())
}

/// The same for a pool that is monitored, or enforced in part.
fn before_the_date(pool: &PoolRollout, oldest: Option<Timestamp>, now: Timestamp) -> (Step, String) {
    let name = printable(&pool.pool);
    let Some(tried) = pool.subscribers else {
        let text = "have the history recorded: whom it concerns is not known".to_owned();
        return (Step::RecordHistory, text);
    };
    let unwritten = match (pool.customers, pool.written) {
        (Some(customers), Some(written)) => customers.saturating_sub(written),
        (Some(customers), None) => customers,
        (None, _) if tried > 0 => {
            let text = "`op25b sessions import`: whose the attempts are is not known".to_owned();
            return (Step::ImportSessions, text);
        }
        (None, _) => 0,
    };
    if unwritten > 0 {
        let count = usize::try_from(unwritten).unwrap_or(usize::MAX);
        let text = format!(
            "`op25b notices --pool {name}`: {} not written to",
            counted(count, "customer")
        );
        return (Step::WriteNotices, text);
    }
    if let Some(date) = pool.next_date {
        let text = format!(
            "wait {} for {}",
            length(date.duration_since(now)),
            pool.next_phase()
        );
        return (Step::Wait, text);
    }
    let watched_until = oldest.and_then(|oldest| oldest.checked_add(WATCHED).ok());
    if watched_until.is_none_or(|until| now < until) {
        let text = "watch for a week before a date is announced".to_owned();
        return (Step::Watch, text);
    }
    if pool.mode == PoolWord::Partial {
        let text = "add a phase for every destination to `phases`".to_owned();
        return (Step::AddPhase, text);
    }
    let text = "announce a date: `enforce_from` or `phases`".to_owned();
    (Step::Announce, text)
}

fn subscribers(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "subscriber")
}
