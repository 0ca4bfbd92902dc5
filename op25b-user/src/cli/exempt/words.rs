//! Formats the parts of an exemption for people.

use ipnet::IpNet;
use jiff::{Timestamp, civil::Time, tz::TimeZone};

use crate::{
    api::{Exemption, Origin},
    policy::characters,
    store::{Actor, State},
};

/// An instant in the local time zone.
pub(super) fn instant(at: Timestamp, time_zone: &TimeZone) -> String {
    at.to_zoned_datetime(time_zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// An expiry as it would be written: a day, if the exemption is in force through the whole of it.
pub(super) fn end(end: Option<Timestamp>, time_zone: &TimeZone) -> String {
    let Some(end) = end else {
        return "never".into();
    };
    let local = end.to_zoned_datetime(time_zone.clone());
    if local.time() == Time::midnight()
        && let Ok(day) = local.date().yesterday()
    {
        return day.to_string();
    }
    instant(end, time_zone)
}

/// An expiry, with the time until then or since.
pub(super) fn end_from(now: Timestamp, at: Option<Timestamp>, time_zone: &TimeZone) -> String {
    let text = end(at, time_zone);
    match at {
        None => text,
        Some(at) if at <= now => format!("{text} ({} ago)", duration(now.as_second() - at.as_second())),
        Some(at) => format!("{text} (in {})", duration(at.as_second() - now.as_second())),
    }
}

/// A rough length of time, in the largest unit of which there are at least two.
fn duration(seconds: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    for (length, unit) in UNITS {
        if seconds >= 2 * length {
            // Rounded: 90 days are still 90 days a second later.
            return format!("{} {unit}", (seconds + length / 2) / length);
        }
    }
    match seconds {
        1 => "1 second".into(),
        seconds => format!("{seconds} seconds"),
    }
}

/// A user: by name, or by number if the system has no name.
pub(super) fn actor(actor: &Actor) -> String {
    if actor.name == actor.uid.to_string() {
        format!("uid {}", actor.uid)
    } else {
        printable(&actor.name)
    }
}

/// The word for a state.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Expired => "expired",
        State::Removed => "removed",
    }
}

/// Where an exemption is kept, in short.
pub(super) fn origin(exemption: &Exemption) -> String {
    match (&exemption.place, exemption.origin) {
        (Some(place), _) => {
            let name = place.file.file_name().unwrap_or(place.file.as_os_str());
            format!("{}:{}", printable(&name.to_string_lossy()), place.line)
        }
        (None, Origin::Policy) => "policy file".into(),
        (None, Origin::Store) => "store".into(),
    }
}

/// A list of prefixes.
pub(super) fn nets(nets: &[IpNet], separator: &str) -> String {
    let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
    texts.join(separator)
}

/// Text in one line, in which no character controls a terminal or is hidden.
pub(super) fn printable(text: &str) -> String {
    characters::printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_reads_as_it_would_be_written() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let now = at("2028-03-01T00:00:00Z");
        for (end, text) in [
            (None, "never"),
            (Some(at("2028-03-31T15:00:00Z")), "2028-03-31 (in 31 days)"),
            (
                Some(at("2028-03-02T00:00:00Z")),
                "2028-03-02 09:00:00 +09:00 (in 24 hours)",
            ),
            (
                Some(at("2028-03-01T00:00:01Z")),
                "2028-03-01 09:00:01 +09:00 (in 1 second)",
            ),
            (
                Some(at("2028-03-01T00:01:59Z")),
                "2028-03-01 09:01:59 +09:00 (in 119 seconds)",
            ),
            (
                Some(at("2028-03-01T00:02:00Z")),
                "2028-03-01 09:02:00 +09:00 (in 2 minutes)",
            ),
            (Some(at("2028-02-28T15:00:00Z")), "2028-02-28 (33 hours ago)"),
            (
                Some(at("2028-03-01T00:00:00Z")),
                "2028-03-01 09:00:00 +09:00 (0 seconds ago)",
            ),
        ] {
            assert_eq!(end_from(now, end, &tokyo), text);
        }
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        let named = |name: &str| {
            actor(&Actor {
                uid: 1000,
                name: name.into(),
            })
        };
        assert_eq!(named("alice"), "alice");
        assert_eq!(named("1000"), "uid 1000");
    }
}
