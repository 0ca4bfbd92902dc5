//! Characters that texts for people must not contain, and how they are shown where they occur in spite of that.
//!
//! Customers' names, notes and reasons are printed to terminals, logs and spreadsheets. A control character is interpreted
//! there; a bidirectional one shows the text after it in another order than it is read in; and with an invisible one, two
//! names look the same and are not.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

/// A character that is refused, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    char: char,
    /// From 1.
    place: usize,
}

impl Refused {
    /// Whether terminals interpret it.
    pub(crate) fn is_control(self) -> bool {
        self.char.is_control()
    }
}

/// Displays as `a control character (U+001B) at character 5`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.char {
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => "a line break",
            '\t' => "a tab",
            c if is_bidirectional(c) => "a bidirectional control character",
            c if c.is_control() => "a control character",
            _ => "an invisible character",
        };
        let Self { char, place } = self;
        write!(f, "{kind} (U+{:04X}) at character {place}", u32::from(*char))
    }
}

/// The first character that is refused, besides those that are allowed.
pub(crate) fn first_refused(text: &str, allowed: &[char]) -> Option<Refused> {
    // Most of a million customers have plain names.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut chars = text.chars().enumerate();
    let (index, char) = chars.find(|(_, c)| is_refused(*c) && !allowed.contains(c))?;
    Some(Refused {
        char,
        place: index + 1,
    })
}

/// The same on one line: line breaks and tabs are shown as blanks, and other characters that are refused by their code point.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_refused) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if is_refused(c) => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "<U+{:04X}>", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A text with line feeds alone, as it is stored: tables have CR LF within a cell, some CR.
pub(crate) fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The ASCII form of a full-width character, as Japanese keyboards write it.
pub(crate) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{3002}' => '.',
        c => c,
    }
}

/// What of a text is full-width, for a message.
pub(crate) fn full_width(text: &str) -> &'static str {
    if text.chars().any(|c| matches!(c, '０'..='９')) {
        "digits"
    } else {
        "characters"
    }
}

/// Whether texts for people must not contain a character.
pub(crate) fn is_refused(c: char) -> bool {
    c.is_control() || is_bidirectional(c) || is_invisible(c)
}

/// Whether a character changes the direction of the text after it (UAX #9).
fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character is not seen and no part of a word. Joiners (U+200C, U+200D) are, in Persian and Hindi.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_turns_the_text_or_is_not_seen_is_named_with_its_place() {
        for (text, found) in [
            ("Exa\u{1b}[2Jmple", "a control character (U+001B) at character 4"),
            (
                "客\u{202e}KK",
                "a bidirectional control character (U+202E) at character 2",
            ),
            (
                "\u{2066}a",
                "a bidirectional control character (U+2066) at character 1",
            ),
            (
                "a\u{200f}",
                "a bidirectional control character (U+200F) at character 2",
            ),
            (
                "a\u{61c}",
                "a bidirectional control character (U+061C) at character 2",
            ),
            (
                "Example\u{200b}KK",
                "an invisible character (U+200B) at character 8",
            ),
            ("\u{feff}a", "an invisible character (U+FEFF) at character 1"),
            ("two\nlines", "a line break (U+000A) at character 4"),
            ("a\u{2028}b", "a line break (U+2028) at character 2"),
            ("a\u{7f}", "a control character (U+007F) at character 2"),
        ] {
            let refused = first_refused(text, &[]).map(|refused| refused.to_string());
            assert_eq!(refused.as_deref(), Some(found));
        }
        for text in [
            "株式会社さくら",
            "Zürich AG",
            "שלום",
            "می\u{200c}خواهم",
            "👩\u{200d}💻",
        ] {
            assert_eq!(first_refused(text, &[]), None, "{text}");
        }
        assert_eq!(first_refused("two\nlines", &['\n']), None);
    }

    #[test]
    fn nothing_that_is_printed_moves_the_cursor_or_turns_the_text() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}c"), "a<U+001B>[2J b<U+202E>c");
        assert_eq!(printable("株式会社"), "株式会社");
    }

    #[test]
    fn a_text_of_several_lines_has_line_feeds() {
        assert_eq!(with_line_feeds("a\r\nb\rc\nd"), "a\nb\nc\nd");
    }
}
