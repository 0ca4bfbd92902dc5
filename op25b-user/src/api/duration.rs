//! Lengths of time in requests.

use jiff::SignedDuration;

/// A length of time such as `90d`, rounded up to the unit that it needs: at most five digits, as every version reads.
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
    use crate::time::longest;

    #[test]
    fn a_duration_as_text_is_read_as_no_less() {
        for (seconds, text) in [
            (90, "90s"),
            (99_999, "99999s"),
            (100_001, "1667m"),
            (9_000_000, "2500h"),
            (400_000_000, "4630d"),
        ] {
            let length = SignedDuration::from_secs(seconds);
            assert_eq!(duration_text(length), text);
            assert!(longest(text).unwrap() >= length);
        }
        assert_eq!(duration_text(SignedDuration::ZERO), "0s");
    }
}
