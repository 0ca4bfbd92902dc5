//! A position in the text that moves forward, and what is skipped between values.

use crate::policy::{
    diagnostics::{Span, number},
    model::{FileNumber, Position},
};

/// Deeper nesting is left to the library, which may refuse it.
pub(super) const MOST_DEPTH: usize = 6;

/// The initial capacity of a mapping: growing would cost more than everything else about it.
pub(super) const MOST_KEYS: usize = 8;

/// A position in the text that only moves forward.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// The number of lines before this one.
    line: usize,
    line_start: usize,
    /// A position on this line, and how many characters of the line are before it.
    counted: (usize, usize),
    /// The indentation of the current line; `None` at the end of the text.
    pub(super) indent: Option<usize>,
}

impl<'t> Cursor<'t> {
    /// A cursor at the first line with content.
    pub(super) fn new(text: &'t str) -> Option<Self> {
        let mut cursor = Self {
            text,
            at: 0,
            line: 0,
            line_start: 0,
            counted: (0, 0),
            indent: None,
        };
        cursor.next_line()?;
        Some(cursor)
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes of the line are before this position; within the indentation these are characters.
    pub(super) fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// The next byte.
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes().first().copied()
    }

    /// The rest of the text.
    pub(super) fn bytes(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The text from a position up to here.
    pub(super) fn text_from(&self, start: usize) -> Option<&'t str> {
        self.text.get(start..self.at)
    }

    /// Skips some bytes of this line.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Skips the byte if it is the next one; returns whether it was.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Whether a value follows on this line.
    pub(super) fn is_inline(&self) -> bool {
        let value = self.bytes().iter().find(|byte| **byte != b' ');
        !matches!(value, None | Some(b'\n' | b'\r' | b'#'))
    }

    /// Skips spaces; returns whether there were any.
    pub(super) fn spaces(&mut self) -> bool {
        let start = self.at;
        while self.take(b' ') {}
        self.at > start
    }

    /// The span from a position on this line, which is no earlier than that of the last call.
    pub(super) fn span(&mut self, start: usize, length: usize) -> Span {
        let (offset, characters) = self.counted;
        let characters = characters
            + self
                .text
                .get(offset..start)
                .map_or(0, |between| between.chars().count());
        self.counted = (start, characters);
        Span {
            at: Position {
                file: FileNumber::POLICY,
                line: number(self.line + 1),
                column: number(characters + 1),
            },
            offset: start,
            length,
        }
    }

    /// After a value: skips the rest of its line, which may only be a comment, and moves to the next line with content.
    pub(super) fn end_line(&mut self) -> Option<()> {
        let spaced = self.spaces();
        self.rest_of_line(spaced)?;
        self.next_line()
    }

    /// Skips a comment, if there may be one here, and the end of the line.
    fn rest_of_line(&mut self, may_be_comment: bool) -> Option<()> {
        if may_be_comment && self.byte() == Some(b'#') {
            let start = self.at;
            let length = self.bytes().iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.at = length.map_or(self.text.len(), |length| start + length);
            if !is_readable(self.text_from(start)?) {
                return None;
            }
        }
        match self.bytes() {
            [] => return Some(()),
            [b'\n', ..] => self.at += 1,
            [b'\r', b'\n', ..] => self.at += 2,
            _ => return None,
        }
        self.line += 1;
        self.line_start = self.at;
        self.counted = (self.at, 0);
        Some(())
    }

    /// At the beginning of a line: moves to the first line with content.
    fn next_line(&mut self) -> Option<()> {
        loop {
            self.spaces();
            match self.byte() {
                None => self.indent = None,
                Some(b'\n' | b'\r' | b'#') => {
                    self.rest_of_line(true)?;
                    continue;
                }
                Some(_) => self.indent = Some(self.column()),
            }
            return Some(());
        }
    }
}

/// Whether all characters are allowed anywhere in YAML, and none ends a line or is a byte order mark.
pub(super) fn is_readable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        || text.chars().all(|c| {
            matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
                && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        })
}
