//! Sparklines: rates as characters of different heights.

use super::look::Look;
use crate::cli::top::series::Series;

/// Nothing, and then more and more.
const UNICODE: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The newest rates, as many as there is room for, the newest one at the right. The highest one is as high as a character; what is
/// not known is blank.
pub(super) fn spark(series: Option<&Series>, width: usize, look: &Look) -> String {
    let Some(series) = series else {
        return " ".repeat(width);
    };
    let levels = if look.has_unicode { UNICODE } else { ASCII };
    let newest = series.newest(width);
    let most = newest.clone().flatten().fold(0.0, f64::max);
    let shown: String = newest
        .map(|rate| rate.map_or(' ', |rate| levels[level(rate, most)]))
        .collect();
    format!("{shown:>width$}")
}

/// The level of a rate: 0 for none, and 1 to 7 for what there is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is from 0 to 7"
)]
fn level(rate: f64, most: f64) -> usize {
    if rate <= 0.0 || most <= 0.0 {
        return 0;
    }
    ((rate / most * 7.0).ceil() as usize).clamp(1, 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_as_high_as_a_character_and_only_nothing_is_at_the_bottom() {
        let levels = [0.0, 0.001, 14.3, 50.0, 99.0, 100.0].map(|rate| level(rate, 100.0));
        assert_eq!(levels, [0, 1, 2, 4, 7, 7]);
        assert_eq!(level(0.0, 0.0), 0);
    }
}
