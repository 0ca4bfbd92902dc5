//! Sizes in bytes, as people write and read them.

use std::{fmt, str::FromStr};

/// The units, each 1024 times the one before.
const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
/// Bytes in a KiB.
const STEP: u64 = 1024;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count * STEP * STEP)
    }
}

impl FromStr for ByteSize {
    type Err = ();

    /// A whole number and a unit, such as `512MiB`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(())?;
        let (number, unit) = text.split_at(unit_at);
        let place = UNITS
            .iter()
            .position(|name| *name == unit.trim_start())
            .ok_or(())?;
        let bytes = (0..=place).try_fold(number.parse::<u64>().map_err(|_| ())?, |bytes, _| {
            bytes.checked_mul(STEP)
        });
        bytes.map(Self).ok_or(())
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit of which it is a whole number, or else to a tenth of the largest that is not longer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let mut unit = None;
        let mut size = 1;
        for name in UNITS {
            if bytes < size * STEP {
                break;
            }
            size *= STEP;
            unit = Some(name);
        }
        let Some(unit) = unit else {
            return write!(f, "{bytes} B");
        };
        match (bytes / size, bytes % size * 10 / size) {
            (whole, 0) => write!(f, "{whole}{unit}"),
            (whole, tenths) => write!(f, "{whole}.{tenths}{unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_with_a_binary_unit() {
        for (text, bytes) in [
            ("1KiB", 1024),
            ("2GiB", 2 << 30),
            ("512 MiB", 512 << 20),
            ("0MiB", 0),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "2", "GiB", "2GB", "2.5GiB", "-1MiB", "99999999999TiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_in_its_largest_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (4096, "4KiB"),
            (2 << 30, "2GiB"),
            ((3 << 30) / 2, "1.5GiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
