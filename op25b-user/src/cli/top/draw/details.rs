//! One subscriber: its record, the verdict on it, its exemptions and its sessions.

use jiff::tz::TimeZone;
use ratatui::text::Line;

use super::{
    look::Look,
    spark::spark,
    text::{count, left, rate},
};
use crate::{
    api::{Exemption, Explained},
    cli::{
        exempt::table as exemptions,
        explain::{answer::Answered, shown::ShownExplanation},
        sessions::text as sessions,
        subscribers::text::about,
        table::{self, Column, fold_below},
        top::{details::Details, per_second::of_recent, state::State},
    },
    session::Session,
    time::show,
};

/// The width of a label.
const LABEL: usize = 14;

/// Everything, whether there is room for it or not.
pub(super) fn lines(details: &Details, state: &State, look: &Look, width: u16) -> Vec<Line<'static>> {
    let heading = |text: String| Line::styled(left(&text, width.into()), look.heading());
    let mut lines = vec![heading(format!("SUBSCRIBER {}", details.subscriber))];
    lines.extend(record(details, state, look, width));
    let Some(found) = &details.found else {
        lines.push(Line::raw("the daemon is asked"));
        return lines;
    };
    let mut part = |title: &str, text: Result<String, &String>| {
        lines.push(heading(title.to_owned()));
        match text {
            Ok(text) => lines.extend(text.lines().map(|line| Line::raw(line.to_owned()))),
            Err(why) => {
                let why = fold_below(&format!("not shown: {why}"), 2, Some(width));
                let why = why
                    .lines()
                    .map(|line| Line::styled(line.to_owned(), look.notice()));
                lines.extend(why);
            }
        }
    };
    let zone = &look.zone;
    part(
        "VERDICT",
        found
            .verdict
            .as_ref()
            .map(|verdict| explained(verdict, state, zone, width)),
    );
    part(
        "EXEMPTIONS",
        found
            .exemptions
            .as_ref()
            .map(|found| exempt(found, state, zone, width)),
    );
    part(
        "SESSIONS of the last 7 days",
        found.sessions.as_ref().map(|found| assigned(found, zone, width)),
    );
    lines
}

fn record(details: &Details, state: &State, look: &Look, width: u16) -> Vec<Line<'static>> {
    let row = &details.record.record;
    let measured = state
        .sample
        .as_ref()
        .and_then(|sample| sample.rates.as_ref()?.measured_ms);
    let recently = of_recent(details.record.recent, measured);
    let packets = |name: &str, syns: u32, others: u32| {
        let all = u64::from(syns) + u64::from(others);
        let syns = count(syns.into());
        labelled(name, &format!("{} ({syns} open a connection)", count(all)))
    };
    let pool = row.pool.as_deref().unwrap_or("-");
    let mut lines = vec![labelled("pool", pool)];
    if details.is_listed {
        let text = recently.map_or_else(
            || "not known yet".to_owned(),
            |now| {
                format!(
                    "{} a second: {} blocked, {} monitored, {} hide their ports",
                    rate(Some(now.packets())),
                    rate(Some(now.blocked)),
                    rate(Some(now.monitored)),
                    rate(Some(now.hidden))
                )
            },
        );
        lines.push(labelled("packets now", &text));
    } else {
        lines.push(labelled(
            "packets now",
            "not among the subscribers that are listed now: what follows is older",
        ));
    }
    lines.push(packets("blocked", row.blocked_syns, row.blocked_others));
    lines.push(packets("monitored", row.monitored_syns, row.monitored_others));
    lines.push(labelled("hidden ports", &count(row.hidden.into())));
    lines.push(labelled("destinations", &about(row.destinations)));
    lines.push(labelled("first seen", &show::instant(row.first_seen, &look.zone)));
    lines.push(labelled("last seen", &show::instant(row.last_seen, &look.zone)));
    if let Some(series) = row.pool.as_deref().and_then(|pool| state.history.of_pool(pool)) {
        let room = usize::from(width).saturating_sub(LABEL + 4).min(60);
        lines.push(labelled("its pool", &spark(Some(series), room, look)));
    }
    lines
}

fn labelled(label: &str, text: &str) -> Line<'static> {
    Line::raw(format!("  {} {text}", left(label, LABEL)))
}

fn explained(verdict: &Explained, state: &State, zone: &TimeZone, width: u16) -> String {
    let answered = Answered {
        explained: verdict.clone(),
        policy_file: state
            .sample
            .as_ref()
            .and_then(|sample| sample.status.policy_file.clone()),
        by_daemon: true,
    };
    ShownExplanation::of(answered, false, state.now, zone).text(zone, Some(width))
}

fn exempt(found: &[Exemption], state: &State, zone: &TimeZone, width: u16) -> String {
    let reader = exemptions::Reader {
        now: state.now,
        time_zone: zone.clone(),
    };
    listed(&exemptions::COLUMNS, found, &reader, width)
}

fn assigned(found: &[Session], zone: &TimeZone, width: u16) -> String {
    listed(&sessions::COLUMNS, found, zone, width)
}

/// A table as the commands print it.
fn listed<R, C>(columns: &[Column<R, C>], rows: &[R], context: &C, width: u16) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let look = table::Look {
        width: Some(width),
        is_wide: false,
        has_header: true,
    };
    let text = table::text(columns, rows, context, look);
    format!("{}\n{}", text.header, text.rows)
}
