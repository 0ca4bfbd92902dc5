//! Spans of a text, and the lines around them.

use std::{cell::OnceCell, sync::Arc};

use crate::policy::model::{FileNumber, Position};

/// A part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its beginning as line and column.
    pub(crate) at: Position,
    /// Its beginning in bytes.
    pub(crate) offset: usize,
    /// Its length in bytes.
    pub(crate) length: usize,
}

/// A line of the text and the part of it that a diagnostic is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The line, or a window of it if it is very long.
    pub(crate) line: String,
    /// The bytes of [`Self::line`] before the underlined part.
    pub(crate) before: usize,
    /// The bytes of the underlined part; it ends with the line.
    pub(crate) underlined: usize,
}

/// How many bytes of a line are shown on each side: a policy may list a million prefixes on one line.
const WINDOW: usize = 160;

/// The text of a policy file, or of a list.
#[derive(Clone, Debug)]
pub(crate) struct Source<'t> {
    text: &'t str,
    /// The list's name.
    list: Option<Arc<str>>,
    line_starts: OnceCell<Vec<usize>>,
}

impl<'t> Source<'t> {
    /// The text of a policy file.
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            text,
            list: None,
            line_starts: OnceCell::new(),
        }
    }

    /// The text of a list.
    pub(crate) fn of_list(name: &str, text: &'t str) -> Self {
        Self {
            list: Some(name.into()),
            ..Self::new(text)
        }
    }

    /// The name of the list; `None` if it is the policy file.
    pub(crate) fn list(&self) -> Option<&Arc<str>> {
        self.list.as_ref()
    }

    /// The text of a span; empty if there is no such span.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.text
            .get(span.offset..span.offset + span.length)
            .unwrap_or_default()
    }

    /// The line in which a span begins.
    pub(crate) fn excerpt(&self, span: Span) -> Excerpt {
        let offset = floor(self.text, span.offset);
        let line_start = self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[offset..]
            .find('\n')
            .map_or(self.text.len(), |length| offset + length);
        let line_end = line_start + self.text[line_start..line_end].trim_end_matches('\r').len();

        let start = floor(self.text, line_start.max(offset.saturating_sub(WINDOW)));
        let end = floor(self.text, line_end.min(offset + WINDOW)).max(offset.min(line_end));
        let underlined_end = floor(self.text, (offset + span.length).min(end)).max(offset.min(end));
        let (ellipsis_before, ellipsis_after) = (
            if start > line_start { "…" } else { "" },
            if end < line_end { "…" } else { "" },
        );
        Excerpt {
            line: format!("{ellipsis_before}{}{ellipsis_after}", &self.text[start..end]),
            before: ellipsis_before.len() + offset.min(end) - start,
            underlined: underlined_end - offset.min(end),
        }
    }

    /// The line that begins at a position, without its end.
    pub(crate) fn line(&self, at: Position) -> Span {
        let word = self.word(at);
        let line = self.text[word.offset..].lines().next().unwrap_or_default();
        Span {
            length: line.len(),
            ..word
        }
    }

    /// The word, such as a prefix, that begins at a position.
    pub(crate) fn word(&self, at: Position) -> Span {
        let starts = self.line_starts.get_or_init(|| {
            let newlines = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(newlines.map(|(index, _)| index + 1))
                .collect()
        });
        let line_start = starts
            .get(at.line.saturating_sub(1) as usize)
            .copied()
            .unwrap_or(self.text.len());
        let rest = &self.text[line_start..];
        let column = at.column.saturating_sub(1) as usize;
        let offset = line_start
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(index, _)| index);
        let word = &self.text[offset..];
        let length = match word.chars().next() {
            Some(quote @ ('"' | '\'')) => word[1..].find(quote).map_or(1, |length| length + 2),
            _ if self.list.is_some() => word
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '#' | '"'))
                .unwrap_or(word.len()),
            _ => word
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}'))
                .unwrap_or(word.len()),
        };
        Span { at, offset, length }
    }

    /// The position of a byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let before = &self.text[..floor(self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            file: FileNumber::POLICY,
            line: number(before.matches('\n').count() + 1),
            column: number(before[line_start..].chars().count() + 1),
        }
    }
}

/// The last character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset)
}

/// The number of a line or column; the largest for those that do not fit.
pub(crate) fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_the_line_with_its_part() {
        let source = Source::new("a: 1\r\n客: [x, y]\nz");
        let span = source.word(Position::in_policy(2, 5));
        assert_eq!(source.slice(span), "x");
        let excerpt = source.excerpt(span);
        assert_eq!(excerpt.line, "客: [x, y]");
        assert_eq!(
            &excerpt.line[excerpt.before..excerpt.before + excerpt.underlined],
            "x"
        );
        assert_eq!(source.position(span.offset), span.at);
        assert_eq!(
            source.excerpt(source.word(Position::in_policy(1, 1))).line,
            "a: 1"
        );
    }

    #[test]
    fn a_very_long_line_is_cut_to_a_window() {
        let text = format!("[{}BAD,{}]", "客,".repeat(5000), "y,".repeat(5000));
        let source = Source::new(&text);
        let excerpt = source.excerpt(source.word(Position::in_policy(1, 10_002)));
        assert!(excerpt.line.len() < 400);
        assert_eq!(
            &excerpt.line[excerpt.before..excerpt.before + excerpt.underlined],
            "BAD"
        );
    }

    #[test]
    fn places_outside_the_text_are_harmless() {
        let source = Source::new("é");
        for offset in 0..5 {
            for length in 0..5 {
                let span = Span {
                    at: Position::default(),
                    offset,
                    length,
                };
                source.excerpt(span);
                source.slice(span);
            }
        }
        source.word(Position::in_policy(9, 9));
    }
}
