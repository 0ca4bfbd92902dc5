//! What a command writes to stderr for people. An error of stderr is none of the command: it does what it was called for.

use std::{fmt, io::Write as _};

/// Writes text, coloured on a terminal only.
pub(super) fn text(text: impl fmt::Display) {
    // Nobody reads it: stderr is closed, or the disk behind it is full.
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// Writes a line.
pub(super) fn line(line: impl fmt::Display) {
    text(format_args!("{line}\n"));
}
