//! Texts of a given width, and numbers with a few digits.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::policy::characters::printable;

/// A text that is exactly so wide: cut, or with blanks after it.
pub(super) fn left(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let blanks = width - cut.width();
    cut + &" ".repeat(blanks)
}

/// The same with blanks before it.
pub(super) fn right(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    " ".repeat(width - cut.width()) + &cut
}

/// A name that is exactly so wide. Of one that is too long both ends are there: names of a kind differ in either.
pub(super) fn name(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.width() <= width {
        return left(&text, width);
    }
    let start = cut(&text, (width / 2 + 1).min(width));
    let room = width - start.width();
    let ends = text.char_indices().rev().map(|(place, _)| &text[place..]);
    let end = ends
        .take_while(|end| end.width() <= room)
        .last()
        .unwrap_or_default();
    left(&(start + end), width)
}

/// A text that is at most so wide, in which no character controls a terminal.
fn cut(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for character in text.chars() {
        let more = character.width().unwrap_or(0);
        // Room for the mark that something is missing.
        if used + more + 1 > width {
            break;
        }
        used += more;
        cut.push(character);
    }
    if width > 0 {
        cut.push('~');
    }
    cut
}

/// A rate: `0.5`, `12`, `8123`, `12.3k`, `1.25M`; `-` if it is not known.
pub(in crate::cli::top) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}"),
        Some(rate) if rate < 9999.5 => format!("{rate:.0}"),
        Some(rate) if rate < 999_950.0 => format!("{:.1}k", rate / 1e3),
        Some(rate) => format!("{:.2}M", rate / 1e6),
    }
}

/// A count, with its digits in groups of three.
pub(in crate::cli::top) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_wide_as_their_column_in_any_script() {
        assert_eq!(left("eth1", 6), "eth1  ");
        assert_eq!(right("eth1", 6), "  eth1");
        assert_eq!(left("residential", 6), "resid~");
        assert_eq!(left("家庭用プール", 6), "家庭~ ");
        assert_eq!(left("a\u{1b}[2Jb", 12), "a<U+001B>[2~");
        assert_eq!(left("x", 0), "");
    }

    #[test]
    fn of_a_name_that_is_too_long_both_ends_are_shown() {
        assert_eq!(name("residential", 12), "residential ");
        assert_eq!(name("residential-tokyo-north", 14), "residen~-north");
        assert_eq!(name("residential-tokyo-north", 13), "reside~-north");
        assert_eq!(name("家庭用プール東京", 10), "家庭~東京 ");
        assert_eq!(name("residential", 2), "r~");
        assert_eq!(name("residential", 1), "~");
        assert_eq!(name("residential", 0), "");
    }

    #[test]
    fn rates_and_counts_are_read_at_a_glance() {
        let rates = [
            0.0,
            0.04,
            0.5,
            9.96,
            8123.4,
            9999.6,
            12_345.0,
            999_960.0,
            1_250_000.0,
        ];
        assert_eq!(
            rates.map(|it| rate(Some(it))),
            [
                "0", "0.0", "0.5", "10", "8123", "10.0k", "12.3k", "1.00M", "1.25M"
            ]
        );
        assert_eq!(rate(None), "-");
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
