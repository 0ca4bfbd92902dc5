//! A place in the text: its line and column, and what is skipped between values.

use crate::policy::{
    diagnostics::{Span, number},
    model::Position,
};

/// Anything deeper is the library's to refuse.
pub(super) const MOST_DEPTH: usize = 6;

/// Room for as many keys is made at once: a record that grows costs more than everything else about it.
pub(super) const MOST_KEYS: usize = 8;

/// A place that only moves forward.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// The number of lines before this one.
    line: usize,
    line_start: usize,
    /// A place on this line, and how many characters of the line are before it.
    counted: (usize, usize),
    /// By how much the line is indented that has been come to last; nothing at the end of the text.
    pub(super) indent: Option<usize>,
}

impl<'t> Cursor<'t> {
    /// The first line that says something.
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

    /// How many bytes of the line are before this place; of its indentation each is a character.
    pub(super) fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// The next byte.
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes().first().copied()
    }

    /// What is still to come.
    pub(super) fn bytes(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The text from a place up to here.
    pub(super) fn text_from(&self, start: usize) -> Option<&'t str> {
        self.text.get(start..self.at)
    }

    /// Goes on by some bytes of this line.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Goes on to the byte, if it is the next one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Whether something follows on this line.
    pub(super) fn is_inline(&self) -> bool {
        let value = self.bytes().iter().find(|byte| **byte != b' ');
        !matches!(value, None | Some(b'\n' | b'\r' | b'#'))
    }

    /// Skips spaces; says whether there were some.
    pub(super) fn spaces(&mut self) -> bool {
        let start = self.at;
        while self.take(b' ') {}
        self.at > start
    }

    /// The span from a place on this line, which is no earlier than the last one that was asked for.
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
                line: number(self.line + 1),
                column: number(characters + 1),
            },
            offset: start,
            length,
        }
    }

    /// Behind a value: skips what else is on its line, which may only be a comment, and goes on to the next line that
    /// says something.
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

    /// At the beginning of a line: goes on to the first that says something.
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

/// Whether there are only characters that YAML has anywhere, none of which ends a line or is invisible to some.
pub(super) fn is_readable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        || text.chars().all(|c| {
            matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
                && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        })
}
