//! A page of the newest items, or of the next ones, for which the answer waits.

use std::time::Duration;

use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::super::{
    limits,
    shared::{Shared, View},
};
use crate::{
    api::{Problem, ProblemKind},
    daemon::newest::{Hub, Numbered, Taken},
};

/// Which page.
pub(super) struct Page {
    /// After which number; without one it is that of the newest items.
    pub(super) after: Option<u64>,
    /// How long the answer waits for an item.
    pub(super) wait: Duration,
    /// The most items.
    pub(super) limit: usize,
}

/// Refuses what the policy does not turn on with a key, and a pool that it does not have.
pub(super) fn check(
    view: &View,
    (key, is_on): (&str, bool),
    (otherwise, example): (&str, &str),
    pool: Option<&str>,
) -> Result<(), Problem> {
    if !is_on {
        return Err(Problem::new(
            ProblemKind::Conflict,
            format!(
                "the policy has no `{key}`, so that {otherwise}: add `{example}` to {} and run `op25b reload`",
                view.report.policy_file.display()
            ),
        ));
    }
    view.check_pool(pool)
}

/// Takes a page of the items that match.
pub(super) async fn take<T: Numbered>(
    shared: &Shared,
    hub: &Hub<T>,
    matches: impl Fn(&T) -> bool,
    page: &Page,
) -> Result<Taken<T>, Problem> {
    let taken = match page.after {
        None => hub.newest(&matches, page.limit),
        Some(after) => Taken {
            next: after,
            ..Taken::default()
        },
    };
    if !taken.items.is_empty() {
        return Ok(taken);
    }
    let mut subscription = hub.subscribe_after(taken.next);
    let _place = if page.wait.is_zero() {
        None
    } else {
        Some(place(shared)?)
    };
    match timeout(page.wait, subscription.next(&matches, page.limit)).await {
        Ok(taken) => Ok(taken),
        Err(_) => Ok(subscription.now(&matches, page.limit)),
    }
}

/// A place among those who wait.
fn place(shared: &Shared) -> Result<OwnedSemaphorePermit, Problem> {
    shared.waiting_place().map_err(|_| {
        Problem::busy(format!(
            "{} clients wait for events or alerts already; ask without `wait`",
            limits::WAITING
        ))
    })
}
