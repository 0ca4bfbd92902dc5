//! The median of repeated measurements, with the interval that it is in.

use serde::{Deserialize, Serialize};

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The one in the middle.
    pub median: f64,
    /// The lower end of the interval in which the median of all such measurements is, with a probability of 95 %; of less
    /// than 6 measurements the smallest one, which is less certain.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many there were.
    pub repetitions: usize,
}

impl Sample {
    /// Sums them up; `None` without any.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        let outside = outside(values.len());
        Some(Self {
            median,
            low: values[outside],
            high: values[values.len() - 1 - outside],
            min,
            max,
            repetitions: values.len(),
        })
    }

    /// Of two things that were measured in turn, pair by pair: what disturbed both measurements of a pair cancels out.
    #[must_use]
    pub fn of_pairs(one: &[f64], other: &[f64], join: impl Fn(f64, f64) -> f64) -> Option<Self> {
        let pairs = one.iter().zip(other);
        Self::of(pairs.map(|(one, other)| join(*one, *other)).collect())
    }

    /// Whether the median may be a value as well.
    #[must_use]
    pub fn may_be(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How many of the sorted values are outside the interval on each side.
///
/// A value is below the median with a probability of one half, so the number of values below it is binomially distributed
/// however they scatter.
fn outside(count: usize) -> usize {
    const TAIL: f64 = 0.025;
    let (mut outside, mut left) = (0, count);
    // How many values there are, and the chance of one way in which `outside` values are below the median.
    let each = std::iter::repeat_n(0.5, count).product::<f64>();
    let (mut number, mut ways) = (1.0, 1.0);
    let mut tail = each;
    while left > 0 {
        ways *= as_float(left) / number;
        if tail + ways * each > TAIL {
            break;
        }
        tail += ways * each;
        (outside, left, number) = (outside + 1, left - 1, number + 1.0);
    }
    outside
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen measurements")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_the_median_is_that_of_the_binomial_distribution() {
        // Tables of the sign test: with 6 values the smallest to the largest is in 96.9 % of cases, with 9 the second to the
        // eighth in 96.1 %, with 20 the sixth to the fifteenth in 95.9 %, with 100 the 40th to the 61st in 96.5 %.
        let outsides = [1, 2, 5, 6, 8, 9, 11, 12, 20, 100].map(outside);
        assert_eq!(outsides, [0, 0, 0, 0, 0, 1, 1, 2, 5, 39]);
    }

    #[test]
    fn a_sample_has_the_median_its_interval_and_the_extremes() {
        let sample = Sample::of(vec![5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 60.0]).unwrap();
        assert_eq!((sample.median, sample.min, sample.max), (5.0, 1.0, 60.0));
        assert_eq!((sample.low, sample.high), (2.0, 9.0));
        assert!(sample.may_be(9.0) && !sample.may_be(1.9));
        assert_eq!(
            Sample::of(vec![1.0, 2.0]).map(|of_two| (of_two.median, of_two.repetitions)),
            Some((1.5, 2))
        );
        assert_eq!(Sample::of(Vec::new()), None);
    }

    #[test]
    fn what_disturbs_both_of_a_pair_is_not_in_their_ratio() {
        let (drop, filter) = ([100.0, 300.0, 50.0], [200.0, 600.0, 100.0]);
        let ratio = Sample::of_pairs(&drop, &filter, |drop, filter| drop / filter).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (0.5, 0.5, 0.5));
    }
}
