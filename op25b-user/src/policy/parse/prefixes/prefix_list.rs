//! Splits a text with several prefixes: a cell of a table, the arguments of a command.

use super::hints::{is_dash, is_mask_of};

/// The prefixes in a text, separated by blanks, commas or semicolons. Each part is still to be parsed.
///
/// What belongs together although blanks are within it stays one part, so that it is not read as several addresses: a range
/// (`198.51.100.40 - 198.51.100.47`), a length apart from its slash, and an address with its mask
/// (`198.51.100.40 255.255.255.248`).
pub(crate) fn split_prefixes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(is_separator);
        let mut word = first_word(rest);
        if word.is_empty() {
            return None;
        }
        let mut end = word.len();
        loop {
            let after = rest[end..].trim_start_matches(is_separator);
            let next = first_word(after);
            if next.is_empty() || !belong_together(word, next) {
                break;
            }
            end = rest.len() - after.len() + next.len();
            word = next;
        }
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';' | '、' | '，' | '；') || c.is_whitespace()
}

fn first_word(text: &str) -> &str {
    text.split(is_separator).next().unwrap_or_default()
}

fn belong_together(word: &str, next: &str) -> bool {
    let joins = |c: char| c == '/' || is_dash(c);
    word.ends_with(joins) || next.starts_with(joins) || is_mask_of(word, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        split_prefixes(text).collect()
    }

    #[test]
    fn blanks_commas_and_semicolons_separate_prefixes() {
        for text in [
            "198.51.100.8/29 2001:db8::/48 192.0.2.1",
            "198.51.100.8/29, 2001:db8::/48, 192.0.2.1",
            "198.51.100.8/29;2001:db8::/48;192.0.2.1;",
            " 198.51.100.8/29 ,; 2001:db8::/48\n192.0.2.1 ",
            "198.51.100.8/29、2001:db8::/48\u{3000}192.0.2.1",
        ] {
            assert_eq!(
                split(text),
                ["198.51.100.8/29", "2001:db8::/48", "192.0.2.1"],
                "{text}"
            );
        }
        assert_eq!(split(" , "), [""; 0]);
        assert_eq!(split("192.0.2.1 0.0.0.0/0"), ["192.0.2.1", "0.0.0.0/0"]);
    }

    #[test]
    fn what_belongs_together_is_not_read_as_several_addresses() {
        for text in [
            "198.51.100.40 255.255.255.248",
            "198.51.100.40, 255.255.255.248",
            "198.51.100.40 0.0.0.7",
            "198.51.100.40 - 198.51.100.47",
            "198.51.100.40～ 198.51.100.47",
            "198.51.100.40 / 29",
        ] {
            assert_eq!(split(&format!("{text} 192.0.2.1")), [text, "192.0.2.1"]);
        }
    }
}
