//! What a subscriber's attempts look like: a mail client, a mail server, bulk mail or a bot, or hardly anything.
//!
//! The rules are those of docs/reports.md, in its order, and the first that holds decides. They look at how many destinations and
//! at how many hours, and at the rate only where it is beyond doubt: how many packets an attempt has depends on the system that
//! sends them and on whether they are dropped, rejected or monitored.

use clap::ValueEnum;
use serde::Serialize;

use super::tally::Tally;

/// So many destinations within one bucket are bulk mail or a bot: a mail server with a full queue has fewer.
const MANY_IN_A_BUCKET: u32 = 48;
/// So many SYNs in ten minutes are, too: one a second, all the time.
const MANY_SYNS: u32 = 600;
/// What happened in so few hours is rare.
const FEW_HOURS: u32 = 3;
/// A mail server has so many destinations or more, and so many of them within one bucket: it tries its whole queue.
const SEVERAL: u32 = 5;
const SEVERAL_IN_A_BUCKET: u32 = 3;
/// One that tries its messages one by one has so many destinations in all. The server of a mail client can have several addresses.
const MANY: u32 = 16;

/// What attempts look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// Many destinations, or a high rate.
    BulkOrBot,
    /// Several destinations, which are tried again.
    MailServer,
    /// Few destinations, hour after hour.
    MailClient,
    /// Attempts in few hours.
    Rare,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [Self::BulkOrBot, Self::MailServer, Self::MailClient, Self::Rare];

    /// The class of what was done. `None` if there was no packet whose ports are readable.
    pub(crate) fn of(tally: &Tally) -> Option<Self> {
        if tally.counts.packets() == 0 {
            return None;
        }
        let destinations = tally.destinations();
        let is_server = destinations >= MANY
            || (destinations >= SEVERAL && tally.busiest_destinations >= SEVERAL_IN_A_BUCKET);
        Some(
            if tally.busiest_destinations >= MANY_IN_A_BUCKET || tally.busiest_syns >= MANY_SYNS {
                Self::BulkOrBot
            } else if tally.hours <= FEW_HOURS {
                Self::Rare
            } else if is_server {
                Self::MailServer
            } else {
                Self::MailClient
            },
        )
    }

    /// Its word in documents and tables.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::BulkOrBot => "bulk_or_bot",
            Self::MailServer => "mail_server",
            Self::MailClient => "mail_client",
            Self::Rare => "rare",
        }
    }

    /// Its words for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BulkOrBot => "bulk or bot",
            Self::MailServer => "mail server",
            Self::MailClient => "mail client",
            Self::Rare => "rare",
        }
    }
}

#[cfg(test)]
mod tests;
