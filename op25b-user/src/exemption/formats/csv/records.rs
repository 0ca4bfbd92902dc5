//! The records of a text, one after the other, each with its place: what the csv crate does not know of them.

use std::io::{Chain, Read as _};

use csv::{Reader, ReaderBuilder, StringRecord};

use super::{super::mistakes::Mistakes, COMMENT};

/// Reads records. It counts lines as an editor does: the csv crate counts neither the LF of a CR LF nor empty lines nor comments.
pub(super) struct Records<'t> {
    text: &'t str,
    reader: Reader<Chain<&'t [u8], &'static [u8]>>,
    /// Where the reader has begun.
    begin: usize,
    record: StringRecord,
    /// Where the record begins.
    offset: usize,
    /// The line in which it begins.
    line: u32,
    /// Where it ends.
    end: usize,
}

impl<'t> Records<'t> {
    /// Those of a text from the beginning of a line on.
    pub(super) fn from(text: &'t str, begin: usize) -> Self {
        let rest = &text.as_bytes()[begin..];
        let reader = ReaderBuilder::new()
            .has_headers(false)
            // Rows that are too short or too long are reported.
            .flexible(true)
            .comment(Some(COMMENT))
            // The reader takes a comment that no line feed ends for a row.
            .from_reader(rest.chain(&b"\n"[..]));
        Self {
            text,
            reader,
            begin,
            record: StringRecord::new(),
            offset: begin,
            line: 1 + line_feeds(&text.as_bytes()[..begin]),
            end: begin,
        }
    }

    /// Reads the next one; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        // Reading from memory cannot fail, nor can UTF-8 that is split at ASCII characters.
        if !self.reader.read_record(&mut self.record).unwrap_or(false) {
            return false;
        }
        let bytes = self.text.as_bytes();
        // After the record before: empty lines and comments come first.
        let mut start = self.end.min(bytes.len());
        while let Some(byte) = bytes.get(start) {
            start += match byte {
                b'\r' | b'\n' => 1,
                &COMMENT => bytes[start..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - start),
                _ => break,
            };
        }
        self.line = self.line.saturating_add(line_feeds(&bytes[self.offset..start]));
        self.offset = start;
        let read = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        self.end = self.begin.saturating_add(read);
        true
    }

    /// Whether one was read.
    pub(super) fn have_begun(&self) -> bool {
        self.end > self.begin
    }

    pub(super) fn record(&self) -> &StringRecord {
        &self.record
    }

    /// Where the record begins in the text.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The line in which it begins.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// The text of the record.
    pub(super) fn written(&self) -> &'t str {
        let end = self.end.min(self.text.len());
        self.text.get(self.offset..end).unwrap_or_default()
    }

    /// Whether the next record is at a place or after it.
    pub(super) fn have_reached(&self, place: usize) -> bool {
        self.end >= place || self.is_at(place)
    }

    /// Whether the next record is the first one from a place on: between them are line breaks.
    pub(super) fn is_at(&self, place: usize) -> bool {
        let between = self.text.as_bytes().get(self.end..place);
        between.is_some_and(|between| between.iter().all(|byte| matches!(byte, b'\r' | b'\n')))
    }

    /// Finds a mistake in the last record: that it ends within quotes.
    pub(super) fn check_end(&self, mistakes: &mut Mistakes) {
        if self.written().matches('"').count() % 2 == 1 {
            mistakes.add(self.line, || {
                "a quote (\") in this row is never closed; write \"\" for a literal quote".into()
            });
        }
    }
}

fn line_feeds(bytes: &[u8]) -> u32 {
    let line_feeds = bytes.iter().filter(|byte| **byte == b'\n');
    u32::try_from(line_feeds.count()).unwrap_or(u32::MAX)
}
