//! Exemptions from YAML, of which JSON is a part.

use super::Mistakes;
use crate::{
    api::{ImportRow, NewExemption},
    policy::written::{self, Written},
};

pub(super) fn read(text: &str, seen: &dyn Fn(u64)) -> Result<Vec<ImportRow>, Mistakes> {
    match written::read("", text, seen) {
        Ok(exemptions) => Ok(exemptions.into_iter().map(row).collect()),
        Err(report) => {
            let mut mistakes = Mistakes::default();
            for diagnostic in report.diagnostics() {
                let line = diagnostic.place.as_ref().map_or(0, |place| place.position.line);
                mistakes.add(line, || {
                    let remarks = [&diagnostic.note, &diagnostic.hint];
                    let texts = remarks.into_iter().flatten().map(String::as_str);
                    std::iter::once(diagnostic.message.as_str())
                        .chain(texts)
                        .collect::<Vec<_>>()
                        .join("; ")
                });
            }
            // Those that the report itself only counts.
            mistakes.count += report.omitted();
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
