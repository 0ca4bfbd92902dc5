//! Reads a log line by line, in bounded memory.

use std::io::{self, BufRead, Read as _};

/// The longest line in bytes; a longer one is no line of a log.
const LONGEST: u64 = 1 << 20;

/// The lines of a log.
pub(super) struct Lines<'l> {
    log: &'l mut dyn BufRead,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1.
    pub(super) number: u32,
}

impl<'l> Lines<'l> {
    pub(super) fn new(log: &'l mut dyn BufRead) -> Self {
        Self {
            log,
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line without its end; what is not UTF-8 in it is replaced.
    pub(super) fn next(&mut self) -> io::Result<Option<String>> {
        self.line.clear();
        let read = (&mut *self.log).take(LONGEST).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        if read as u64 == LONGEST && self.line.last() != Some(&b'\n') {
            return Err(io::Error::other(format!(
                "line {} is longer than {LONGEST} bytes: this is no log of sessions",
                self.number
            )));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line);
        let is_first = self.number == 1;
        Ok(Some(match line.strip_prefix('\u{feff}') {
            Some(line) if is_first => line.to_owned(),
            _ => line.into_owned(),
        }))
    }
}
