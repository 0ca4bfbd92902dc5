//! Cells of tables.

use op25b_testlab::sample::Sample;
pub use op25b_testlab::{numbers::thousands, table::table};

/// `123` as `12.3`.
pub fn tenths(number: u64) -> String {
    format!("{}.{}", thousands(number / 10), number % 10)
}

/// The interval of a ratio's median.
pub fn interval(ratio: &Sample) -> String {
    format!("{:.2} to {:.2}", ratio.low, ratio.high)
}

/// What a cell says of frames that the filter did not count, by their share.
pub fn lost(share: f64) -> String {
    if share > 0.0 {
        format!(" lost {:.2} %", 100.0 * share)
    } else {
        String::new()
    }
}
