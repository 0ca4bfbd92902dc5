//! The results of the part `live` for people.

use op25b_testlab::sample::Sample;

use super::{Measured, Outcome, Row};
use crate::table::{self, thousands};

/// A table of what was measured, and a line for each filter that was not.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "family",
        "exemptions",
        "sources",
        "filter",
        "ns",
        "range",
        "over drop",
        "of drop's rate",
        "interval",
        "of drop-record's",
        "interval",
        "Mpps",
    ];
    let measured: Vec<_> = rows.iter().filter_map(cells).collect();
    let left_out = rows.iter().filter_map(|row| match &row.result {
        Outcome::LeftOut { left_out } => Some(format!(
            "{}, {} exemptions: {} is left out: {left_out}\n",
            row.family.name(),
            thousands(row.exemptions.into()),
            row.filter
        )),
        Outcome::Measured(_) => None,
    });
    let with_events = rows.iter().filter_map(|row| {
        let share = row.measured()?.share_of_op25b.as_ref()?;
        Some(format!(
            "{}, {} exemptions, {} sources: with events op25b has {:.3} of its rate without ({:.3} to {:.3})\n",
            row.family.name(),
            thousands(row.exemptions.into()),
            row.sources.name(),
            share.median,
            share.low,
            share.high
        ))
    });
    format!(
        "Nanoseconds for each frame to port 25 that comes in over a veth pair and is dropped (medians; making and \
         carrying it included; * interrupted; lost: the share of frames that the filter did not count)\n\n{}{}{}",
        table::table(&head, 4, &measured),
        with_events.collect::<String>(),
        left_out.collect::<String>()
    )
}

/// One line, if there is something measured.
fn cells(row: &Row) -> Option<Vec<String>> {
    let Measured {
        ns,
        share_of_drop,
        share_of_drop_record,
        share_of_op25b: _,
        is_disturbed,
        lost,
    } = row.measured()?;
    let star = if *is_disturbed { " *" } else { "" };
    let shown =
        |share: &Option<Sample>, show: fn(&Sample) -> String| share.as_ref().map_or_else(String::new, show);
    let share = |share: &Sample| format!("{:.2}", share.median);
    Some(vec![
        row.family.name().into(),
        thousands(row.exemptions.into()),
        row.sources.name().into(),
        row.filter.clone(),
        format!("{:.0}{star}{}", ns.median, table::lost(*lost)),
        format!("{:.0} to {:.0}", ns.min, ns.max),
        share_of_drop.map_or_else(String::new, |share| {
            format!("{:.0}", ns.median * (1.0 - share.median))
        }),
        shown(share_of_drop, share),
        shown(share_of_drop, table::interval),
        shown(share_of_drop_record, share),
        shown(share_of_drop_record, table::interval),
        format!("{:.2}", 1e3 / ns.median),
    ])
}
