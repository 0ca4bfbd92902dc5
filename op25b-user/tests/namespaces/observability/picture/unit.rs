//! Numbers with their units, short enough for an axis.

/// The unit of a panel, by Grafana's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Number,
    Packets,
    BytesPerSecond,
    Bytes,
    Seconds,
}

impl Unit {
    pub fn named(name: &str) -> Self {
        match name {
            "short" => Self::Number,
            "pps" => Self::Packets,
            "Bps" => Self::BytesPerSecond,
            "bytes" => Self::Bytes,
            "s" => Self::Seconds,
            other => panic!("the pictures have no unit {other}"),
        }
    }

    /// A value with its unit.
    pub fn shown(self, value: f64) -> String {
        self.scale(value).shown(value)
    }

    /// The scale in which the largest of some values is shown.
    pub fn scale(self, largest: f64) -> Scale {
        const THOUSANDS: &[(f64, &str)] = &[(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
        const BINARY: &[(f64, &str)] = &[
            (1_073_741_824.0, "GiB"),
            (1_048_576.0, "MiB"),
            (1024.0, "KiB"),
            (1.0, "B"),
        ];
        const TIMES: &[(f64, &str)] = &[
            (31_557_600.0, "years"),
            (86_400.0, "d"),
            (3600.0, "h"),
            (60.0, "min"),
            (1.0, "s"),
            (1e-3, "ms"),
            (1e-6, "µs"),
            (1e-9, "ns"),
        ];
        let (steps, unit) = match self {
            Self::Number => (THOUSANDS, ""),
            Self::Packets => (THOUSANDS, "p/s"),
            Self::BytesPerSecond => (THOUSANDS, "B/s"),
            Self::Bytes => (BINARY, ""),
            Self::Seconds => (TIMES, ""),
        };
        let reached = steps.iter().find(|(step, _)| largest.abs() >= *step);
        // 0, and what is smaller than the smallest step.
        let one = steps.iter().find(|(step, _)| *step <= 1.0);
        let (divisor, prefix) = *reached.or(one).unwrap();
        Scale {
            divisor,
            unit: format!("{prefix}{unit}"),
        }
    }
}

/// In what a value is shown.
#[derive(Debug)]
pub struct Scale {
    pub divisor: f64,
    unit: String,
}

impl Scale {
    /// A value of three digits, with its unit.
    pub fn shown(&self, value: f64) -> String {
        let number = value / self.divisor;
        let decimals = match number.abs() {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        let mut text = format!("{number:.decimals$}");
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        if !self.unit.is_empty() {
            text.push(' ');
            text.push_str(&self.unit);
        }
        text
    }
}

#[test]
fn numbers_have_three_digits_and_their_unit() {
    for (unit, value, shown) in [
        (Unit::Number, 0.0, "0"),
        (Unit::Number, 5.0, "5"),
        (Unit::Packets, 1234.0, "1.23 kp/s"),
        (Unit::Packets, 0.5, "0.5 p/s"),
        (Unit::BytesPerSecond, 96_000.0, "96 kB/s"),
        (Unit::Bytes, 1_048_576.0 * 3.5, "3.5 MiB"),
        (Unit::Seconds, 0.0, "0 s"),
        (Unit::Seconds, -0.000_012, "-12 µs"),
        (Unit::Seconds, 86_400.0 * 3.0, "3 d"),
    ] {
        assert_eq!(unit.shown(value), shown);
    }
}
