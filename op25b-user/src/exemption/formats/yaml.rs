//! Reads exemptions from YAML, of which JSON is a subset.

use super::Mistakes;
use crate::{
    exemption::{ImportRow, NewExemption},
    policy::written::{self, Written},
};

/// Reads a file. `progress` is called with the number of bytes read so far.
pub(super) fn read(text: &str, progress: &dyn Fn(u64)) -> Result<Vec<ImportRow>, Mistakes> {
    match written::read("", text, progress) {
        Ok(exemptions) => Ok(exemptions.into_iter().map(row).collect()),
        Err(report) => {
            let mut mistakes = Mistakes::default();
            for diagnostic in report.diagnostics() {
                let line = diagnostic
                    .location
                    .as_ref()
                    .map_or(0, |location| location.position.line);
                mistakes.add(line, || {
                    let remarks = [&diagnostic.note, &diagnostic.hint];
                    let texts = remarks.into_iter().flatten().map(String::as_str);
                    std::iter::once(diagnostic.message.as_str())
                        .chain(texts)
                        .collect::<Vec<_>>()
                        .join("; ")
                });
            }
            // Those that the report only counts.
            mistakes.add_unlisted(report.omitted());
            Err(mistakes)
        }
    }
}

fn row(written: Written) -> ImportRow {
    let Written {
        line,
        customer,
        prefixes,
        destinations,
        ticket,
        note,
        expires,
    } = written;
    ImportRow {
        line,
        exemption: NewExemption {
            customer,
            prefixes,
            destinations,
            ticket,
            note,
            expires,
            force: false,
        },
    }
}
