//! Lengths of time such as `90d` in queries.

use jiff::SignedDuration;

/// What [`duration`] accepts, as a regular expression.
pub const DURATION: &str = "^[0-9]{1,5}[smhdw]$";

/// Parses a length of time such as `30s`, `15m`, `12h`, `90d` or `2w`. A day has 24 hours.
#[must_use]
pub fn duration(text: &str) -> Option<SignedDuration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let is_count = (1..=5).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: i64 = is_count.then(|| count.parse().ok())??;
    Some(SignedDuration::from_secs(count * seconds))
}

/// A length of time that [`duration`] reads, rounded up to the unit that it needs.
#[must_use]
pub fn duration_text(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0) + i64::from(duration.subsec_nanos() > 0);
    let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let fits = units
        .into_iter()
        .map(|(unit, length)| (seconds / length + i64::from(seconds % length > 0), unit))
        .find(|(count, _)| *count < 100_000);
    fits.map_or_else(|| "99999d".to_owned(), |(count, unit)| format!("{count}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_count_and_a_unit() {
        for (text, hours) in [("48h", 48), ("14d", 14 * 24), ("2w", 14 * 24), ("0d", 0)] {
            assert_eq!(duration(text), Some(SignedDuration::from_hours(hours)), "{text}");
        }
        assert_eq!(duration("90s"), Some(SignedDuration::from_secs(90)));
        assert_eq!(duration("99999w").map(|it| it.as_hours()), Some(99_999 * 7 * 24));
        for text in ["", "d", "14", "14 d", "-1d", "+1d", "1y", "1é", "100000d", "1d2h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_as_text_is_read_as_no_less() {
        for (seconds, text) in [
            (0, "0s"),
            (90, "90s"),
            (99_999, "99999s"),
            (100_001, "1667m"),
            (9_000_000, "2500h"),
            (400_000_000, "4630d"),
        ] {
            let length = SignedDuration::from_secs(seconds);
            assert_eq!(duration_text(length), text);
            assert!(duration(text).unwrap() >= length);
        }
    }
}
