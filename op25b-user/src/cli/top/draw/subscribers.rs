//! The subscribers who do most, or why they are not shown.

use jiff::{Timestamp, tz::TimeZone};
use ratatui::{layout::Rect, text::Line};
use unicode_width::UnicodeWidthStr as _;

use super::{
    look::Look,
    text::{count, left, name, rate, right},
};
use crate::{
    cli::{
        subscribers::text::about,
        table::fold,
        top::{
            per_second::{Recently, of_recent},
            sample::Listed,
            state::State,
        },
    },
    report::{RateSort, SubscriberRate},
};

/// A column.
struct Shown {
    heading: &'static str,
    width: usize,
    is_right: bool,
    /// Those of the least rank are shown where there is no room for all.
    rank: u8,
    sort: Option<RateSort>,
    cell: fn(&SubscriberRate, &Context<'_>) -> String,
}

/// What a cell depends on besides its row.
struct Context<'a> {
    measured_ms: Option<u64>,
    now: Timestamp,
    zone: &'a TimeZone,
}

const COLUMNS: [Shown; 9] = [
    Shown {
        heading: "SUBSCRIBER",
        width: 24,
        is_right: false,
        rank: 0,
        sort: None,
        cell: |row, _| row.record.subscriber.clone(),
    },
    Shown {
        heading: "POOL",
        width: 12,
        is_right: false,
        rank: 5,
        sort: None,
        cell: |row, _| row.record.pool.clone().unwrap_or_else(|| "-".to_owned()),
    },
    Shown {
        heading: "PKT/S",
        width: 7,
        is_right: true,
        rank: 1,
        sort: Some(RateSort::Rate),
        cell: |row, context| {
            let recently = of_recent(row.recent, context.measured_ms);
            rate(recently.map(Recently::packets))
        },
    },
    Shown {
        heading: "DEST",
        width: 8,
        is_right: true,
        rank: 2,
        sort: Some(RateSort::Destinations),
        cell: |row, _| about(row.record.destinations),
    },
    Shown {
        heading: "PACKETS",
        width: 12,
        is_right: true,
        rank: 4,
        sort: Some(RateSort::Packets),
        cell: |row, _| count(row.record.packets),
    },
    Shown {
        heading: "BLOCKED",
        width: 12,
        is_right: true,
        rank: 6,
        sort: None,
        cell: |row, _| {
            let record = &row.record;
            count(u64::from(record.blocked_syns) + u64::from(record.blocked_others))
        },
    },
    Shown {
        heading: "MONITORED",
        width: 12,
        is_right: true,
        rank: 7,
        sort: None,
        cell: |row, _| {
            let record = &row.record;
            count(u64::from(record.monitored_syns) + u64::from(record.monitored_others))
        },
    },
    Shown {
        heading: "HIDDEN",
        width: 8,
        is_right: true,
        rank: 8,
        sort: None,
        cell: |row, _| count(row.record.hidden.into()),
    },
    Shown {
        heading: "LAST SEEN",
        width: 10,
        is_right: true,
        rank: 3,
        sort: Some(RateSort::LastSeen),
        cell: |row, context| short_time(row.record.last_seen, context),
    },
];

/// The time of today, or the date.
fn short_time(at: Timestamp, context: &Context<'_>) -> String {
    let [at, now] = [at, context.now].map(|at| at.to_zoned_datetime(context.zone.clone()));
    let form = if at.date() == now.date() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d"
    };
    at.strftime(form).to_string()
}

/// The panel.
pub(super) fn lines(state: &State, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let Some(sample) = &state.sample else {
        return Vec::new();
    };
    let listed = match &sample.subscribers {
        Ok(listed) => listed,
        Err(why) => {
            let title = Line::styled(
                left("SUBSCRIBERS are not shown", area.width.into()),
                look.heading(),
            );
            let why = fold(why, Some(area.width));
            let why: Vec<_> = why
                .lines()
                .map(|line| Line::styled(line.to_owned(), look.notice()))
                .collect();
            return [vec![title], why].concat();
        }
    };
    let context = Context {
        measured_ms: sample.rates.as_ref().and_then(|rates| rates.measured_ms),
        now: state.now,
        zone: &look.zone,
    };
    let columns = fitting(&listed.rows, &context, state.look.query.sort, area.width.into());
    let mut lines = vec![
        Line::styled(left(&title(listed), area.width.into()), look.heading()),
        Line::styled(headings(&columns, state.look.query.sort), look.heading()),
    ];
    let room = usize::from(area.height).saturating_sub(lines.len());
    let cursor = state.cursor();
    // The page with the cursor.
    let first = cursor.map_or(0, |cursor| cursor - cursor % room.max(1));
    let shown = listed.rows.iter().enumerate().skip(first).take(room);
    lines.extend(shown.map(|(place, row)| {
        let cells = columns
            .iter()
            .map(|column| column.fit(&(column.shown.cell)(row, &context)));
        let text = cells.collect::<Vec<_>>().join(" ");
        if cursor == Some(place) {
            Line::styled(left(&text, area.width.into()), Look::reversed())
        } else {
            Line::raw(text)
        }
    }));
    if listed.rows.is_empty() {
        lines.push(Line::raw("none"));
    }
    lines
}

fn title(listed: &Listed) -> String {
    let number = |number: usize| count(u64::try_from(number).unwrap_or(u64::MAX));
    let active = listed
        .active
        .map_or_else(String::new, |active| format!("{} active now, ", number(active)));
    let matching = if listed.matching == listed.remembered {
        String::new()
    } else {
        format!("{} that match, ", number(listed.matching))
    };
    format!(
        "SUBSCRIBERS  {active}{matching}{} remembered",
        number(listed.remembered)
    )
}

/// The headings; the column by which they are sorted is marked.
fn headings(columns: &[Fitted], sort: RateSort) -> String {
    let headings = columns.iter().map(|column| {
        let heading = column.shown.heading;
        if column.shown.sort == Some(sort) {
            column.fit(&format!("{heading}*"))
        } else {
            column.fit(heading)
        }
    });
    headings.collect::<Vec<_>>().join(" ")
}

/// A column with the width that it has on a screen.
struct Fitted {
    shown: &'static Shown,
    width: usize,
}

/// The columns that fit a screen, with that by which the rows are sorted before others. Names of pools are as wide as the
/// longest, if only columns that matter less give way to them.
fn fitting(rows: &[SubscriberRate], context: &Context<'_>, sort: RateSort, width: usize) -> Vec<Fitted> {
    let longest = |shown: &Shown| {
        let cells = rows.iter().map(|row| (shown.cell)(row, context).width());
        cells.fold(shown.width, usize::max)
    };
    let fitted = |shown: &'static Shown| Fitted {
        shown,
        width: if shown.is_right {
            shown.width
        } else {
            longest(shown)
        },
    };
    let mut columns: Vec<_> = COLUMNS.iter().map(fitted).collect();
    let excess = |columns: &[Fitted]| {
        let used: usize = columns.iter().map(|column| column.width + 1).sum();
        used.saturating_sub(width + 1)
    };
    let mut by_rank: Vec<_> = COLUMNS
        .iter()
        .filter(|column| column.sort != Some(sort))
        .collect();
    by_rank.sort_by_key(|column| std::cmp::Reverse(column.rank));
    for least in by_rank {
        let excess_now = excess(&columns);
        let is_least = |column: &Fitted| column.shown.rank == least.rank && least.rank > 0;
        if let Some(column) = columns.iter_mut().find(|column| is_least(column)) {
            column.width = column.width.saturating_sub(excess_now).max(least.width);
        }
        if excess(&columns) > 0 {
            columns.retain(|column| !is_least(column));
        }
    }
    columns
}

impl Fitted {
    fn fit(&self, text: &str) -> String {
        if self.shown.is_right && text.width() > self.width {
            // Of a number every digit counts.
            right(&text.replace(',', ""), self.width)
        } else if self.shown.is_right {
            right(text, self.width)
        } else {
            name(text, self.width)
        }
    }
}
