//! What is known of one subscriber besides its record: the verdict, its exemptions and its sessions.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Exemption, Explained},
    cli::subscribers::prefix,
    daemon::client::{Client, ClientError, Listing, SessionFilter},
    enforcer::Connection,
    report::SubscriberRate,
    session::Session,
};

/// Sessions of this time are shown.
const SESSIONS_OF: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most sessions that are asked for.
const MOST_SESSIONS: usize = 1000;

/// The details of one subscriber.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) subscriber: String,
    /// The record as it was seen last.
    pub(super) record: SubscriberRate,
    /// Whether it is among those that were seen last.
    pub(super) is_listed: bool,
    /// The rest; nothing until the daemon has answered.
    pub(super) found: Option<Found>,
    /// The first line that is shown.
    pub(super) scroll: usize,
}

/// What the daemon knows of a subscriber, or why it does not answer that.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) verdict: Result<Explained, String>,
    pub(super) exemptions: Result<Vec<Exemption>, String>,
    /// Those of the last days, the newest first.
    pub(super) sessions: Result<Vec<Session>, String>,
}

impl Details {
    pub(super) fn new(record: SubscriberRate) -> Self {
        Self {
            subscriber: record.record.subscriber.clone(),
            record,
            is_listed: true,
            found: None,
            scroll: 0,
        }
    }
}

impl Found {
    /// Asks the daemon, which records that the sessions are read.
    pub(super) async fn ask(client: &Client, subscriber: &str, reason: Option<String>) -> Self {
        let net = match prefix(subscriber) {
            Ok(net) => net,
            Err(why) => return Self::nothing(&why),
        };
        let listing = Listing {
            within: Some(net.to_string()),
            ..Listing::default()
        };
        let filter = sessions_of(net, Timestamp::now(), reason);
        let connection = Connection::from(net.addr());
        let (verdict, exemptions, sessions) = tokio::join!(
            client.explain(&connection),
            client.list(&listing),
            client.sessions(&filter, MOST_SESSIONS)
        );
        let sessions = sessions.map(|list| {
            let mut sessions = list.items;
            sessions.sort_by_key(|session| std::cmp::Reverse(session.start));
            sessions
        });
        Self {
            verdict: verdict.map_err(why),
            exemptions: exemptions.map_err(why),
            sessions: sessions.map_err(why),
        }
    }

    fn nothing(why: &str) -> Self {
        Self {
            verdict: Err(why.to_owned()),
            exemptions: Err(why.to_owned()),
            sessions: Err(why.to_owned()),
        }
    }
}

fn sessions_of(net: IpNet, now: Timestamp, reason: Option<String>) -> SessionFilter {
    SessionFilter {
        since: now.checked_sub(SESSIONS_OF).ok(),
        within: Some(net.to_string()),
        reason,
        ..SessionFilter::default()
    }
}

/// An error with its causes, in one line.
pub(super) fn why(error: ClientError) -> String {
    crate::cli::causes(&error.into())
}
