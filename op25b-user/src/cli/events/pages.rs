//! Asking the daemon for the events that follow, again and again.

use std::{mem, time::Duration};

use jiff::SignedDuration;
use tokio::time::sleep;

use super::MOST;
use crate::{
    api::Problem,
    cli::stderr,
    daemon::client::{Client, ClientError, EventFilter},
    report::EventPage,
};

/// How long the daemon waits for an event before it answers that there is none.
const WAIT: SignedDuration = SignedDuration::from_secs(20);
/// How long to wait for a daemon that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The events after one.
pub(super) struct Pages<'a> {
    client: &'a Client,
    filter: &'a EventFilter,
    after: u64,
    is_away: bool,
}

/// What the daemon answers.
pub(super) enum Answer {
    /// Events, or none for a while.
    Page(EventPage),
    /// That it will not say.
    Refused(Box<Problem>),
}

impl<'a> Pages<'a> {
    /// The events after the one with this number.
    pub(super) fn after(client: &'a Client, filter: &'a EventFilter, after: u64) -> Self {
        Self {
            client,
            filter,
            after,
            is_away: false,
        }
    }

    /// The next page. Asked again it is the same, until it is passed.
    pub(super) async fn next(&mut self) -> anyhow::Result<Answer> {
        loop {
            match self
                .client
                .events(self.filter, Some(self.after), Some(WAIT), MOST)
                .await
            {
                Ok(page) => {
                    if mem::take(&mut self.is_away) {
                        stderr::line("op25b: the daemon answers again");
                    }
                    return Ok(Answer::Page(page));
                }
                Err(ClientError::Refused(problem)) if problem.status < 500 => {
                    return Ok(Answer::Refused(problem));
                }
                Err(error) if error.is_forbidden() => return Err(error.into()),
                Err(error) => {
                    if !mem::replace(&mut self.is_away, true) {
                        stderr::line(format_args!("op25b: {error}; waiting for it"));
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Goes on after a page.
    pub(super) fn pass(&mut self, page: &EventPage) {
        self.after = page.next;
    }
}
