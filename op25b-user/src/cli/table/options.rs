//! The options of commands that print a table.

use std::{env, io::IsTerminal as _};

use clap::{Args as ClapArgs, ValueEnum};

use super::Look;

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub(in crate::cli) struct TableOptions {
    /// `wide`: all columns, each row on one line, however wide the terminal is.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<OutputFormat>,
    /// Print the table without its header line.
    #[arg(long)]
    no_header: bool,
}

/// The formats of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// All columns, each row on one line.
    Wide,
}

impl TableOptions {
    /// The look of a table on stdout.
    pub(in crate::cli) fn look(self) -> Look {
        Look {
            width: width(),
            is_wide: self.output == Some(OutputFormat::Wide),
            has_header: !self.no_header,
        }
    }
}

/// The width of what is printed to stdout: `COLUMNS` as for ps(1), which watch(1) sets; otherwise that of the terminal, or none.
pub(in crate::cli) fn width() -> Option<u16> {
    chosen(env::var("COLUMNS").ok().as_deref(), terminal())
}

fn chosen(columns: Option<&str>, terminal: Option<u16>) -> Option<u16> {
    let columns = columns.and_then(|columns| columns.trim().parse().ok());
    columns.filter(|width| *width > 0).or(terminal)
}

/// The width of the terminal, if stdout is one.
fn terminal() -> Option<u16> {
    let stdout = std::io::stdout();
    let size = stdout
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(&stdout))
        .flatten();
    size.map(|(terminal_size::Width(width), _)| width)
        .filter(|width| *width > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_is_columns_then_the_terminal_then_unlimited() {
        assert_eq!(chosen(Some("72"), Some(100)), Some(72));
        assert_eq!(chosen(Some(" 72 "), None), Some(72));
        for unset in [None, Some(""), Some("0"), Some("wide"), Some("-1"), Some("70000")] {
            assert_eq!(chosen(unset, Some(100)), Some(100), "{unset:?}");
            assert_eq!(chosen(unset, None), None, "{unset:?}");
        }
    }
}
