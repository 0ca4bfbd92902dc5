//! Sending alerts to a webhook, until a signal.
//!
//! The daemon's own alerts are the queue. An alert that cannot be sent is asked for again, so that one that is forgotten meanwhile is not
//! sent.

mod request;
mod sent;
#[cfg(test)]
mod tests;

use std::{path::Path, pin::pin, process::ExitCode, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use self::{
    request::Sender,
    sent::{Due, Sent},
};
use super::Args;
use crate::{
    cli::{
        back_off::BackOff,
        daemon::block_on,
        ending::ended,
        pages::{Answer, Pages},
        problem, stderr,
        tls::Tls,
    },
    counted::counted,
    daemon::{
        client::{AlertFilter, Asked, Client},
        service,
    },
    report::Alert,
    webhook::{CANNOT_SEND, Receiver, Secret},
};

/// How long to wait at most before an alert is sent again.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// An alert that is older is of no use any more.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// The most alerts that are taken from the daemon at once.
const MOST: usize = 100;

/// The sending of alerts.
struct Sending<'a> {
    sender: Sender<'a>,
    sent: Sent<'a>,
    back_off: BackOff,
    tally: Tally,
}

/// What became of alerts.
#[derive(Default)]
struct Tally {
    sent: usize,
    /// About subscribers of whom one was sent less than an hour before.
    repeated: usize,
    /// Too old, or not kept any more by the daemon.
    left_out: usize,
}

/// Sends alerts, from where the last start ended or from now on.
pub(super) fn send(
    args: &Args,
    to: &Receiver,
    secret: &Path,
    filter: &AlertFilter,
) -> anyhow::Result<ExitCode> {
    let secret = Secret::of_file(secret)?;
    let tls = Tls(&args.tls);
    // A file that cannot be read is said at once, not at every alert.
    tls.config()?;
    let mut sending = Sending {
        sender: Sender::new(to, args.proxy.as_ref(), tls, &secret)?,
        sent: Sent::of_file(args.state.clone(), &secret)?,
        back_off: BackOff::up_to(LONGEST_PAUSE),
        tally: Tally::default(),
    };
    let outcome = block_on(sending.all(&Client::new(&args.paths.runtime_dir), filter))??;
    stderr::line(format_args!("op25b: {}", sending.summary()));
    Ok(outcome)
}

impl Sending<'_> {
    /// Sends until a signal, or until the daemon refuses to list alerts. A request that is under way is not given up for a signal: it would
    /// not be known whether the receiver has the alert.
    async fn all(&mut self, client: &Client, filter: &AlertFilter) -> anyhow::Result<ExitCode> {
        let after = match self.sent.number() {
            Some(number) => number,
            None => client.alerts(filter, Asked::newest(1)).await?.next,
        };
        let begun = format!("sending alerts to {}", self.sender.to());
        stderr::line(format_args!("op25b: {begun}"));
        service::ready(&begun);
        let mut pages = Pages::after(after, MOST, async |asked| client.alerts(filter, asked).await);
        let mut ended = pin!(ended());
        loop {
            let page = tokio::select! {
                answer = pages.next() => match answer? {
                    Answer::Page(page) => page,
                    Answer::Refused(problem) => return problem::refused(&problem, false),
                },
                ended = &mut ended => return Ok(ended.map(|()| ExitCode::SUCCESS)?),
            };
            self.note_missed(page.missed);
            let mut wait = None;
            for alert in &page.alerts {
                wait = self.deliver(alert).await?;
                if wait.is_some() {
                    break;
                }
                pages.pass(alert.sequence);
            }
            match wait {
                None => {
                    self.sent.pass(page.next)?;
                    pages.pass(page.next);
                    service::status(&self.summary());
                }
                Some(wait) => tokio::select! {
                    () = sleep(wait) => {}
                    ended = &mut ended => return Ok(ended.map(|()| ExitCode::SUCCESS)?),
                },
            }
        }
    }

    /// Sends an alert, if it is to be sent. Returns how long to wait before it is asked for again, if it is not done with.
    async fn deliver(&mut self, alert: &Alert) -> anyhow::Result<Option<Duration>> {
        let now = Timestamp::now();
        if now.duration_since(alert.time) > OLDEST {
            self.tally.left_out += 1;
        } else {
            match self.sent.due(alert.subscriber, now) {
                Due::Within(wait) => return Ok(Some(wait)),
                Due::Repeated => self.tally.repeated += 1,
                Due::Now => {
                    if let Err(error) = self.sender.send(alert, now).await {
                        return Ok(Some(self.failed(&error)));
                    }
                    self.back_off.succeeded();
                    self.tally.sent += 1;
                    self.sent.note(alert.subscriber, now);
                }
            }
        }
        self.sent.pass(alert.sequence)?;
        Ok(None)
    }

    /// What became of the alerts so far.
    fn summary(&self) -> String {
        let Tally {
            sent,
            repeated,
            left_out,
        } = self.tally;
        format!(
            "{} sent to {}, {repeated} repeated within an hour, {left_out} left out",
            counted(sent, "alert"),
            self.sender.to()
        )
    }

    /// Says why an alert was not sent; returns how long to wait.
    fn failed(&mut self, error: &anyhow::Error) -> Duration {
        let pause = self.back_off.failed();
        let state = format!("{CANNOT_SEND}: {error:#}; trying again in {} s", pause.as_secs());
        stderr::line(format_args!("op25b: {state}"));
        service::status(&state);
        pause
    }

    fn note_missed(&mut self, missed: u64) {
        if missed > 0 {
            let missed = usize::try_from(missed).unwrap_or(usize::MAX);
            self.tally.left_out += missed;
            stderr::line(format_args!(
                "op25b: {} left out: newer ones had taken their place before they could be sent",
                counted(missed, "alert")
            ));
        }
    }
}
