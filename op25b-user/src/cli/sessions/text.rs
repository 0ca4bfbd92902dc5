//! What is shown of sessions and their import, as text.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::{ImportedSessions, shown_prefix as address},
    cli::table::{Cell, Column, Rank, Value},
    counted::counted,
    policy::characters::printable,
    session::{SKEW_SECONDS, Session},
    store::sessions::{Gap, Overlap, Survey},
    time::show,
};

/// The columns of a list.
pub(in crate::cli) const COLUMNS: [Column<Session, TimeZone>; 4] = [
    Column::new("prefix", |session: &Session, _| {
        Cell::of(address(session.prefix), Value::Net(session.prefix))
    }),
    Column::new("start", |session: &Session, time_zone| {
        Cell::time(show::instant(session.start, time_zone), Some(session.start))
    }),
    Column::new("end", |session: &Session, time_zone| {
        let seen = show::instant(session.seen, time_zone);
        match session.end {
            Some(end) => Cell::time(seen, Some(end)),
            None => Cell::time(format!("open, seen {seen}"), None),
        }
    })
    .rank(Rank::High),
    Column::new("customer", |session: &Session, _| Cell::text(&*session.customer))
        .rank(Rank::High)
        .wrapped(16),
];

/// The outcome of an import, in lines.
pub(super) fn summary(imported: &ImportedSessions, time_zone: &TimeZone) -> Vec<String> {
    let ImportedSessions {
        dry_run,
        added,
        extended,
        unchanged,
        survey,
        warnings: _,
    } = imported;
    let sessions = counted(*added, "session");
    let known = match (dry_run, extended) {
        (_, 0) => format!("{unchanged} known already"),
        (true, _) => format!("{extended} known ones would be extended, {unchanged} known already"),
        (false, _) => format!("{extended} known ones extended, {unchanged} known already"),
    };
    let verb = if *dry_run { "would add" } else { "added" };
    let mut lines = vec![format!("{verb} {sessions}; {known}")];
    lines.extend(conspicuous(survey, time_zone));
    lines
}

/// What is conspicuous about the sessions of a time.
fn conspicuous(survey: &Survey, time_zone: &TimeZone) -> Vec<String> {
    let Survey {
        from,
        until,
        sessions,
        customers,
        with_several_prefixes,
        prefixes,
        open,
        overlaps,
        short_overlaps,
        first_overlaps,
        gaps,
        longest_gap,
    } = survey;
    let (Some(from), Some(until)) = (from, until) else {
        return Vec::new();
    };
    let several = match with_several_prefixes {
        0 => String::new(),
        1 => ", one with several".to_owned(),
        many => format!(", {many} with several"),
    };
    let mut lines = vec![format!(
        "stored of {}: {} on {}, of {}{several}",
        between(*from, *until, time_zone),
        counted(*sessions, "session"),
        match prefixes {
            1 => "1 address or prefix".to_owned(),
            many => format!("{many} addresses and prefixes"),
        },
        counted(*customers, "customer"),
    )];
    if *open > 0 {
        lines.push(format!(
            "{open} without an end: known until seen last, and what came later is attributed to nobody"
        ));
    }
    if *overlaps > 0 {
        lines.push(format!(
            "{overlaps} at the same time as one of another customer: what the address did then is ambiguous"
        ));
        lines.extend(first_overlaps.iter().map(|overlap| {
            let Overlap {
                prefix,
                customers: [one, other],
                from,
                until,
            } = overlap;
            format!(
                "  {}: {} and {}, {}",
                address(*prefix),
                printable(one),
                printable(other),
                between(*from, *until, time_zone)
            )
        }));
    }
    if *short_overlaps > 0 {
        lines.push(format!(
            "{short_overlaps} at the same time as one of another customer for at most {SKEW_SECONDS} s, as much as clocks may differ"
        ));
    }
    if let Some(Gap { prefix, from, until }) = longest_gap {
        let length = show::length(until.duration_since(*from));
        lines.push(format!(
            "{} in which an address was nobody's between two sessions, the longest {length}: {}, {}",
            counted(*gaps, "gap"),
            address(*prefix),
            between(*from, *until, time_zone)
        ));
    }
    lines
}

fn between(from: Timestamp, until: Timestamp, time_zone: &TimeZone) -> String {
    let [from, until] = [from, until].map(|at| show::instant(at, time_zone));
    format!("{from} to {until}")
}
