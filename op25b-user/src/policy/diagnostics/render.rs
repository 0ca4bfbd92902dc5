//! Renders reports as text.

use std::fmt;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::{
    code::Severity,
    diagnostic::{Diagnostic, Location},
    report::Report,
};
use crate::policy::characters::is_refused;

const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const FRAME: Style = AnsiColor::BrightBlue.on_default().bold();
const BOLD: Style = Style::new().bold();

impl Report {
    fn write(&self, f: &mut fmt::Formatter<'_>, colours: bool) -> fmt::Result {
        for diagnostic in self.diagnostics() {
            write_diagnostic(f, self.file_of(diagnostic), diagnostic, colours)?;
            writeln!(f)?;
        }
        match self.omitted() {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more like these\n"),
        }
    }
}

/// The diagnostics as text; `{:#}` writes them with ANSI colours.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, f.alternate())
    }
}

fn write_diagnostic(
    f: &mut fmt::Formatter<'_>,
    file: &str,
    diagnostic: &Diagnostic,
    colours: bool,
) -> fmt::Result {
    let paint = |style: Style| if colours { style } else { Style::new() };
    let (word, style) = match diagnostic.severity() {
        Severity::Error => ("error", paint(ERROR)),
        Severity::Warning => ("warning", paint(WARNING)),
    };
    let (frame, bold) = (paint(FRAME), paint(BOLD));
    let code = diagnostic.code;
    writeln!(
        f,
        "{style}{word}[{code}]{style:#}{bold}: {}{bold:#}",
        diagnostic.message
    )?;

    let number = diagnostic
        .location
        .as_ref()
        .map_or(String::new(), |location| location.position.line.to_string());
    let margin = " ".repeat(number.len());
    match &diagnostic.location {
        Some(location) => {
            let column = location.position.column;
            writeln!(f, "{margin}{frame}-->{frame:#} {file}:{number}:{column}")?;
            writeln!(f, "{margin} {frame}|{frame:#}")?;
            writeln!(f, "{frame}{number} |{frame:#} {}", without_tabs(location.line()))?;
            writeln!(f, "{margin} {frame}|{frame:#} {}", underline(location, style))?;
        }
        None => writeln!(f, "{margin} {frame}-->{frame:#} {file}")?,
    }
    let remarks = [("note", &diagnostic.note), ("hint", &diagnostic.hint)];
    for (word, text) in remarks {
        if let Some(text) = text {
            writeln!(f, "{margin} {frame}={frame:#} {bold}{word}{bold:#}: {text}")?;
        }
    }
    Ok(())
}

/// The carets under the underlined part. Characters of some scripts are two columns wide.
fn underline(location: &Location, style: Style) -> String {
    let before = without_tabs(location.line().get(..location.excerpt.before).unwrap_or_default()).width();
    let carets = without_tabs(location.underlined()).width().max(1);
    format!("{}{style}{}{style:#}", " ".repeat(before), "^".repeat(carets))
}

/// The text without characters that have no width of their own or control a terminal.
fn without_tabs(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_refused(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}
