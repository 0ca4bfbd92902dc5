//! When the exemptions of a loaded policy end.

use std::iter;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The expiry times of those exemptions that have one. Each is there once, with how many have it: exemptions end with a day mostly, and a
/// million of them at a few hundred times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExemptionEnds {
    /// In ascending order, unless an earlier version loaded the filter.
    #[serde(rename = "exemption_ends")]
    times: Vec<Timestamp>,
    /// How many end at each time; one each if an earlier version loaded the filter.
    #[serde(rename = "exemptions_ending", default)]
    counts: Vec<usize>,
}

impl FromIterator<Timestamp> for ExemptionEnds {
    fn from_iter<I: IntoIterator<Item = Timestamp>>(ends: I) -> Self {
        let mut ends: Vec<Timestamp> = ends.into_iter().collect();
        ends.sort_unstable();
        let same = ends.chunk_by(|one, next| one == next);
        let (times, counts) = same.map(|same| (same[0], same.len())).unzip();
        Self { times, counts }
    }
}

impl ExemptionEnds {
    /// How many exemptions have ended at an instant.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> usize {
        let counts = self.counts.iter().copied().chain(iter::repeat(1));
        let ends = self.times.iter().zip(counts);
        ends.filter(|(end, _)| **end <= now).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn as_many_have_ended_as_have_an_end_that_is_past() {
        let ends: ExemptionEnds = [30, 10, 20, 10, 30, 10].map(at).into_iter().collect();
        for (now, ended) in [(9, 0), (10, 3), (19, 3), (20, 4), (30, 6)] {
            assert_eq!(ends.ended(at(now)), ended, "{now}");
        }
        let text = serde_json::to_string(&ends).unwrap();
        assert_eq!(serde_json::from_str::<ExemptionEnds>(&text).unwrap(), ends);
    }

    #[test]
    fn the_ends_that_an_earlier_version_has_written_are_of_one_exemption_each() {
        let text =
            r#"{"exemption_ends":["1970-01-01T00:00:30Z","1970-01-01T00:00:10Z","1970-01-01T00:00:10Z"]}"#;
        let ends: ExemptionEnds = serde_json::from_str(text).unwrap();
        assert_eq!([9, 10, 30].map(|now| ends.ended(at(now))), [0, 2, 3]);
    }
}
