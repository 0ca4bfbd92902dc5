//! Writes to stderr what a command has to say to people. If stderr fails, the command succeeds all the same.

use std::{fmt, io::Write as _};

use anstyle::{AnsiColor, Style};

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Writes text, coloured on a terminal only.
pub(in crate::cli) fn text(text: impl fmt::Display) {
    // Nobody reads it: stderr is closed, or the disk behind it is full.
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// Writes a line.
pub(in crate::cli) fn line(line: impl fmt::Display) {
    text(format_args!("{line}\n"));
}

/// Writes warnings, each in a line.
pub(in crate::cli) fn warn(warnings: &[String]) {
    for warning in warnings {
        line(format_args!("{WARNING}warning{WARNING:#}: {warning}"));
    }
}
