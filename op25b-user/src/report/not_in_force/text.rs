//! An exemption that does not let a connection pass, in words.

use std::net::IpAddr;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::{NotInForce, NotInForceState},
    policy::characters::printable,
    time::show,
};

/// The most destinations that are named; the others are counted.
const DESTINATIONS: usize = 3;

impl NotInForce {
    /// The exemption and why it does not let a connection to this destination pass, in one line.
    #[must_use]
    pub fn text(&self, destination: IpAddr, now: Timestamp, zone: &TimeZone) -> String {
        let ticket = self
            .ticket
            .as_deref()
            .map_or_else(String::new, |ticket| format!(" (ticket {})", printable(ticket)));
        let what = format!("exemption {} of {}{ticket}", self.id, printable(&self.customer));
        match self.state {
            NotInForceState::Expired => {
                let at = self.at.map_or_else(String::new, |at| ended(at, now, zone));
                format!("{what} ended{at}")
            }
            NotInForceState::Removed => {
                let by = self
                    .by
                    .as_ref()
                    .map_or_else(String::new, |by| format!(" by {}", printable(&by.name)));
                let reason = self
                    .reason
                    .as_deref()
                    .map_or_else(String::new, |reason| format!(": {}", printable(reason)));
                let before = self
                    .ended_before_removal()
                    .map_or_else(String::new, |end| format!(" ended{}, and", ended(end, now, zone)));
                let at = self.at.map_or_else(String::new, |at| moment(at, now, zone));
                format!("{what}{before} was removed{at}{by}{reason}")
            }
            NotInForceState::OtherDestinations => {
                format!("{what} does not reach {destination} (only {})", self.only())
            }
            NotInForceState::NotEnforced => {
                format!("{what} is active, but the kernel does not have it: see `op25b status`")
            }
        }
    }

    /// When it had ended, if it was removed after that.
    fn ended_before_removal(&self) -> Option<Timestamp> {
        self.expires_at
            .filter(|end| self.at.is_some_and(|removed| *end <= removed))
    }

    fn only(&self) -> String {
        let named: Vec<String> = self.destinations.iter().map(ToString::to_string).collect();
        match named.len().saturating_sub(DESTINATIONS) {
            0 => named.join(", "),
            more => format!("{} and {more} more", named[..DESTINATIONS].join(", ")),
        }
    }
}

/// ` at the end of 2026-11-28 (3 hours ago)`, as lists have the end of a day, or as [`moment`].
fn ended(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    match show::last_day(at, zone) {
        Some(day) => format!(" at the end of {day} ({})", show::distance(now, at)),
        None => moment(at, now, zone),
    }
}

/// ` 03:00 today (2026-11-29 03:00:00 +09:00)`; without the words unless it is of this day or the one before.
fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let exact = show::instant(at, zone);
    let [at, now] = [at, now].map(|instant| instant.to_zoned_datetime(zone.clone()));
    let day = if at.date() == now.date() {
        "today"
    } else if now
        .date()
        .yesterday()
        .is_ok_and(|yesterday| at.date() == yesterday)
    {
        "yesterday"
    } else {
        return format!(" {exact}");
    };
    format!(" {} {day} ({exact})", at.strftime("%H:%M"))
}
