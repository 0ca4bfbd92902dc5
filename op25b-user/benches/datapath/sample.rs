//! The median and the spread of repeated measurements.

use serde::Serialize;

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many there were.
    pub repetitions: usize,
}

impl Sample {
    /// Sums them up; `None` without any.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self {
            median,
            min: first,
            max: last,
            repetitions: values.len(),
        })
    }
}
