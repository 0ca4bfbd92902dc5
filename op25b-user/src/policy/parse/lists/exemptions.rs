//! Reads a list of exemptions: comma-separated values, as `op25b exempt import` reads them.

use std::mem;

use super::super::{
    prefixes::{self, split_prefixes},
    rules::warn_of_expired,
    values::{Context, Seen, instant_of},
};
use crate::{
    exemption::{
        Terms,
        formats::{
            Columns,
            csv::{Row, for_each_row},
        },
    },
    policy::{
        diagnostics::{Code, Diagnostic, Span, number},
        model::{Exemption, FileNumber, Origin, Position, Positions, Prefix},
    },
    time::DayEnd,
};

/// Appends the exemptions of a list. What is wrong is reported.
pub(super) fn read(context: &mut Context<'_>, file: FileNumber, text: &str, exemptions: &mut Vec<Exemption>) {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    exemptions.reserve_exact(lines);
    let (first, second) = (
        Part::new(context, mem::take(exemptions)),
        Part::new(context, Vec::new()),
    );
    let columns = Columns::default();
    let (parts, mistakes) = for_each_row(text, &columns, [first, second], |part, row| {
        let reading = Reading { file, text, row };
        let exemption = reading.exemption(&mut part.context, &mut part.scratch);
        part.exemptions.extend(exemption);
    });
    for mut part in parts {
        // The first part has those that were there before, and room for all.
        if exemptions.is_empty() {
            *exemptions = part.exemptions;
        } else {
            exemptions.append(&mut part.exemptions);
        }
        context.reporter.append(part.context.reporter);
    }
    for (line, what) in mistakes.first() {
        let at = Position {
            file,
            line: (*line).max(1),
            column: 1,
        };
        let span = context.reporter.line(at);
        context
            .reporter
            .report(span, Code::ListRow, || match what.split_once("; ") {
                Some((message, hint)) => Diagnostic::new(Code::ListRow, message).hint(hint),
                None => Diagnostic::new(Code::ListRow, what).hint(
                    "the columns are those of `op25b exempt import`; customer and prefixes are required",
                ),
            });
    }
    let unlisted = mistakes.count() - mistakes.first().len();
    context.reporter.report_more_errors(unlisted);
}

/// What is read from a part of a list.
struct Part<'t> {
    context: Context<'t>,
    scratch: Scratch,
    exemptions: Vec<Exemption>,
}

impl<'t> Part<'t> {
    /// One whose exemptions follow those that were read before.
    fn new(context: &Context<'t>, exemptions: Vec<Exemption>) -> Self {
        Self {
            context: context.of_part(),
            scratch: Scratch::default(),
            exemptions,
        }
    }
}

/// Lists that are used again for each row.
#[derive(Default)]
struct Scratch {
    prefixes: Vec<Prefix>,
    destinations: Vec<Prefix>,
}

/// A row that is being read.
struct Reading<'a> {
    file: FileNumber,
    text: &'a str,
    row: &'a Row<'a>,
}

impl Reading<'_> {
    fn exemption(&self, context: &mut Context<'_>, scratch: &mut Scratch) -> Option<Exemption> {
        let Scratch {
            prefixes,
            destinations,
        } = scratch;
        let row = self.row;
        self.prefixes(context, row.prefixes, prefixes);
        self.prefixes(context, row.destinations, destinations);
        let expires = match row.expires {
            "" | "never" => None,
            text => {
                let span = || self.span(text);
                let expires = instant_of(context, text, DayEnd::Last, span);
                if let Some(expires) = expires {
                    warn_of_expired(context, expires, span);
                }
                expires
            }
        };
        if prefixes.is_empty() {
            // It is reported why.
            return None;
        }
        let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect();
        let at = Position {
            file: self.file,
            line: row.line,
            column: 1,
        };
        let note = row.note();
        let terms = Terms {
            customer: row.customer.into(),
            prefixes: nets(prefixes),
            destinations: nets(destinations),
            ticket: (!row.ticket.is_empty()).then(|| row.ticket.into()),
            note: (!note.is_empty()).then(|| note.into()),
            expires_at: expires,
        };
        Some(Exemption::new(terms, Origin::File(Positions::new(at, prefixes))))
    }

    /// The prefixes in a cell. Invalid ones are reported and left out, as are duplicates.
    fn prefixes(&self, context: &mut Context<'_>, cell: &str, prefixes: &mut Vec<Prefix>) {
        prefixes.clear();
        if cell.is_empty() {
            return;
        }
        let mut seen = Seen::default();
        for text in split_prefixes(cell) {
            let span = self.span(text);
            match prefixes::parse(text) {
                // A list of one has no duplicates.
                Ok(net)
                    if text.len() == cell.len()
                        || seen.note(context, span, net, |net| format!("{net} is given twice")) =>
                {
                    prefixes.push(Prefix { net, at: span.at });
                }
                Ok(_) => {}
                Err(diagnostic) => context.reporter.report(span, diagnostic.code, || diagnostic),
            }
        }
    }

    /// The span of a part of a cell.
    fn span(&self, part: &str) -> Span {
        let offset = self.row.offset_of(part);
        let before = self.text.get(self.row.offset..offset).unwrap_or_default();
        // A note of several lines may come before it.
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let newlines = before[..start].matches('\n').count();
        Span {
            at: Position {
                file: self.file,
                line: self.row.line.saturating_add(number(newlines)),
                column: number(before[start..].chars().count() + 1),
            },
            offset,
            length: part.len(),
        }
    }
}
