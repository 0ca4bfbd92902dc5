//! Which alerts were sent, in a file, so that a start goes on there: the number of the last one, and about whom one was sent within the
//! last hour, as digests with the secret as their key.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{api::shown_prefix, state_dir::replace_file, webhook::Secret};

/// How long no other alert is sent about a subscriber.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// An alert that comes so little too early, since the one before was delayed, waits.
const SHORT: SignedDuration = SignedDuration::from_mins(1);

/// What was sent.
pub(super) struct Sent<'s> {
    path: Option<PathBuf>,
    secret: &'s Secret,
    state: State,
}

/// The content of the file.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// The number of the last alert that is done with; none before the first.
    number: Option<u64>,
    /// When one was sent, by the digest of the subscriber.
    sent: BTreeMap<String, Timestamp>,
}

/// When an alert may be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    /// After a short time.
    Within(Duration),
    /// Not at all: one was sent within the last hour.
    Repeated,
}

impl<'s> Sent<'s> {
    /// What a file has; nothing without one.
    pub(super) fn of_file(path: Option<PathBuf>, secret: &'s Secret) -> anyhow::Result<Self> {
        let state = match path.as_ref().map(fs::read) {
            None => State::default(),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Some(read) => {
                let file = path.as_deref().unwrap_or("".as_ref()).display();
                let text = read.with_context(|| format!("cannot read {file}"))?;
                serde_json::from_slice(&text).with_context(|| {
                    format!(
                        "{file} does not say which alerts were sent; without that file those that come are sent"
                    )
                })?
            }
        };
        Ok(Self { path, secret, state })
    }

    /// The number of the last alert that is done with.
    pub(super) fn number(&self) -> Option<u64> {
        self.state.number
    }

    /// When an alert about a subscriber may be sent.
    pub(super) fn due(&self, subscriber: IpNet, now: Timestamp) -> Due {
        let Some(sent) = self.state.sent.get(&self.digest(subscriber)) else {
            return Due::Now;
        };
        let since = now.duration_since(*sent);
        // Before it was sent the clock was another one.
        if since >= HOUR || since.is_negative() {
            return Due::Now;
        }
        let rest = HOUR.saturating_sub(since);
        if rest <= SHORT {
            Due::Within(rest.unsigned_abs())
        } else {
            Due::Repeated
        }
    }

    /// Notes that one was sent.
    pub(super) fn note(&mut self, subscriber: IpNet, now: Timestamp) {
        let digest = self.digest(subscriber);
        self.state.sent.insert(digest, now);
    }

    /// Writes that all up to a number are done with. The file has this or what was before, whatever happens.
    pub(super) fn pass(&mut self, number: u64) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let before = self.state.sent.len();
        self.state.sent.retain(|_, sent| now.duration_since(*sent) < HOUR);
        if self.state.number == Some(number) && self.state.sent.len() == before {
            return Ok(());
        }
        self.state.number = Some(number);
        let Some(path) = &self.path else {
            return Ok(());
        };
        replace_file(path, |file| {
            serde_json::to_writer(&mut *file, &self.state)?;
            writeln!(file)
        })
        .with_context(|| format!("cannot write {}", path.display()))
    }

    fn digest(&self, subscriber: IpNet) -> String {
        self.secret.digest(&shown_prefix(subscriber))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_start_knows_what_was_sent_and_the_file_names_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sent");
        let secret = Secret::fake();
        let now = Timestamp::now();
        let mut sent = Sent::of_file(Some(path.clone()), &secret).unwrap();
        assert_eq!(
            (sent.number(), sent.due(net("198.51.100.20/32"), now)),
            (None, Due::Now)
        );
        sent.note(net("198.51.100.20/32"), now);
        sent.note(net("198.51.100.21/32"), now - HOUR);
        sent.pass(42).unwrap();

        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("198.51.100"), "{text}");
        let sent = Sent::of_file(Some(path.clone()), &secret).unwrap();
        assert_eq!(sent.number(), Some(42));
        assert_eq!(sent.state.sent.len(), 1);
        let due = |seconds| sent.due(net("198.51.100.20/32"), now + SignedDuration::from_secs(seconds));
        assert_eq!(due(0), Due::Repeated);
        assert_eq!(due(3539), Due::Repeated);
        assert_eq!(due(3599), Due::Within(Duration::from_secs(1)));
        assert_eq!(due(3600), Due::Now);
        assert_eq!(due(-1), Due::Now);
        assert_eq!(sent.due(net("198.51.100.21/32"), now), Due::Now);

        fs::write(&path, "42").unwrap();
        let refusal = format!("{:#}", Sent::of_file(Some(path), &secret).err().unwrap());
        assert!(
            refusal.contains("does not say which alerts were sent"),
            "{refusal}"
        );
    }

    #[test]
    fn without_a_file_it_is_known_until_the_end() {
        let secret = Secret::fake();
        let mut sent = Sent::of_file(None, &secret).unwrap();
        let now = Timestamp::now();
        sent.note(net("2001:db8:1::/64"), now);
        sent.pass(7).unwrap();
        assert_eq!(
            (sent.number(), sent.due(net("2001:db8:1::/64"), now)),
            (Some(7), Due::Repeated)
        );
    }
}
