//! Folds long lines between words, so that ids and prefixes are not broken in the middle.

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr as _;

/// The indentation of what follows the first line.
const INDENT: usize = 4;

/// A line folded to a width, if there is one. Words are not broken, and the blanks at a fold are dropped.
pub(in crate::cli) fn fold(line: &str, width: Option<u16>) -> String {
    fold_below(line, INDENT, width)
}

/// The same with this indentation of what follows the first line, whose own one stays.
pub(in crate::cli) fn fold_below(line: &str, indent: usize, width: Option<u16>) -> String {
    let Some(width) = width.map(usize::from) else {
        return line.to_owned();
    };
    let words = line.trim_start_matches(' ');
    let mut column = line.len() - words.len();
    let mut folded = String::with_capacity(line.len());
    folded.push_str(&line[..column]);
    let mut is_start = true;
    // Two blanks have an empty word between them.
    for word in words.split(' ') {
        let length = strip_str(word).to_string().width();
        if !is_start && column + 1 + length > width {
            folded.truncate(folded.trim_end().len());
            folded.push('\n');
            folded.extend(std::iter::repeat_n(' ', indent));
            column = indent;
            is_start = true;
        }
        if is_start && word.is_empty() {
            continue;
        }
        if !is_start {
            folded.push(' ');
            column += 1;
        }
        folded.push_str(word);
        column += length;
        is_start = false;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "2027-03-31 09:00:00 +09:00  \u{1b}[32malice\u{1b}[0m  added  01KAXQ3T5BH6Z8W2N4R7C9D1EF  \
                        株式会社サンプル: 198.51.100.8/29 2001:db8:100:7::/64, ends 2028-03-31";

    #[test]
    fn a_line_is_folded_between_words_and_otherwise_as_it_was() {
        insta::assert_snapshot!(strip_str(&fold(LINE, Some(80))), @r"
        2027-03-31 09:00:00 +09:00  alice  added  01KAXQ3T5BH6Z8W2N4R7C9D1EF
            株式会社サンプル: 198.51.100.8/29 2001:db8:100:7::/64, ends 2028-03-31
        ");
        insta::assert_snapshot!(strip_str(&fold(LINE, Some(40))), @r"
        2027-03-31 09:00:00 +09:00  alice  added
            01KAXQ3T5BH6Z8W2N4R7C9D1EF
            株式会社サンプル: 198.51.100.8/29
            2001:db8:100:7::/64, ends 2028-03-31
        ");
        for width in [10, 30, 40, 80, 120] {
            let folded = fold(LINE, Some(width));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&folded), words(LINE), "{width}");
            for line in folded.lines() {
                let line = strip_str(line).to_string();
                let is_one_word = line.split_whitespace().count() == 1;
                assert!(
                    is_one_word || line.width() <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
        assert_eq!(fold(LINE, None), LINE);
        assert_eq!(fold(LINE, Some(200)), LINE);
        assert_eq!(fold("four  and four", Some(10)), "four  and\n    four");
        assert_eq!(fold_below("  four four", 3, Some(8)), "  four\n   four");
    }
}
