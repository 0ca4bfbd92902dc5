//! Asking the daemon for what follows, again and again: events, or alerts.

use std::{mem, time::Duration};

use jiff::SignedDuration;
use tokio::time::sleep;

use crate::{
    api::Problem,
    cli::stderr,
    daemon::client::{Asked, ClientError},
};

/// How long the daemon waits before it answers that there is nothing.
const WAIT: SignedDuration = SignedDuration::from_secs(20);
/// The most items that the daemon lists at once.
pub(in crate::cli) const MOST: usize = 1000;
/// How long to wait for a daemon that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The pages after a number.
pub(in crate::cli) struct Pages<A> {
    ask: A,
    after: u64,
    most: usize,
    is_away: bool,
}

/// What the daemon answers.
pub(in crate::cli) enum Answer<P> {
    /// What follows, or nothing for a while.
    Page(P),
    /// That it will not say.
    Refused(Box<Problem>),
}

impl<A> Pages<A> {
    /// The pages after a number, of at most so many items, as `ask` asks for them.
    pub(in crate::cli) fn after(after: u64, most: usize, ask: A) -> Self {
        Self {
            ask,
            after,
            most,
            is_away: false,
        }
    }

    /// The next page. Asked again it is the same, until it is passed.
    pub(in crate::cli) async fn next<P>(&mut self) -> anyhow::Result<Answer<P>>
    where
        A: AsyncFn(Asked) -> Result<P, ClientError>,
    {
        loop {
            let asked = Asked {
                after: Some(self.after),
                wait: Some(WAIT),
                limit: self.most,
            };
            match (self.ask)(asked).await {
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

    /// Goes on after a number.
    pub(in crate::cli) fn pass(&mut self, number: u64) {
        self.after = number;
    }
}

/// Parses how many items are listed.
pub(in crate::cli) fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {MOST}"))
}
