//! A pause in words.

use jiff::tz::TimeZone;

use crate::{
    policy::{Pause, characters::printable},
    time::show,
};

/// `pool residential until 2026-11-29 03:30:00 +09:00 by hanako: OPS-812`: what is paused, until when, by whom and why.
#[must_use]
pub(crate) fn paused(pause: &Pause, time_zone: &TimeZone) -> String {
    format!("{} {}", printable(&pause.what()), paused_until(pause, time_zone))
}

/// `until 2026-11-29 03:30:00 +09:00 by hanako: OPS-812`
#[must_use]
pub(crate) fn paused_until(pause: &Pause, time_zone: &TimeZone) -> String {
    // A reason may have several lines.
    let reason = pause.reason.replace('\n', " ");
    format!(
        "{} by {}: {}",
        pause_end(pause, time_zone),
        printable(&pause.user),
        printable(&reason)
    )
}

/// `until 2026-11-29 03:30:00 +09:00`, or that it does not end by itself, and since when it lasts.
#[must_use]
pub(crate) fn pause_end(pause: &Pause, time_zone: &TimeZone) -> String {
    match pause.until {
        Some(until) => format!("until {}", show::instant(until, time_zone)),
        None => format!(
            "until it is resumed, since {}",
            show::instant(pause.at, time_zone)
        ),
    }
}

/// What ends a pause, for a line that has said when it ends.
#[must_use]
pub(crate) fn how_to_resume(pause: &Pause) -> &'static str {
    match pause.until {
        Some(_) => "`op25b resume` ends it before",
        None => "`op25b resume` ends it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_one_line_without_what_would_move_the_cursor() {
        let pause = Pause {
            except: vec!["corporate".to_owned()],
            reason: "OPS-812:\nメールが\u{1b}[2J届かない".to_owned(),
            ..Pause::fake(None)
        };
        let japan = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(
            paused(&pause, &japan),
            "everything but corporate until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812: メールが<U+001B>[2J届かない"
        );
        let endless = Pause { until: None, ..pause };
        assert_eq!(
            pause_end(&endless, &japan),
            "until it is resumed, since 2026-11-29 03:00:00 +09:00"
        );
    }
}
