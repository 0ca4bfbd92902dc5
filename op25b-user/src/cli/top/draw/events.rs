//! The newest events of single packets, where the policy has them.

use ratatui::{layout::Rect, text::Line};

use super::{look::Look, text::left};
use crate::cli::{
    events::text::COLUMNS,
    table::{self, fold},
    top::state::State,
};

/// The lines of the title and the headings.
const HEAD: u16 = 2;
/// The fewest lines that are shared.
const LEAST: u16 = 10;

/// How many lines they get of those that subscribers and events share: none without events.
pub(super) fn size(state: &State, height: u16) -> u16 {
    let is_there = state
        .sample
        .as_ref()
        .is_some_and(|sample| sample.events.is_some());
    // Below that, there is room for subscribers only.
    if is_there && height >= LEAST {
        height * 2 / 5
    } else {
        0
    }
}

/// The panel, with the newest first.
pub(super) fn lines(state: &State, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let Some(events) = state.sample.as_ref().and_then(|sample| sample.events.as_ref()) else {
        return Vec::new();
    };
    let title = |text: &str| Line::styled(left(text, area.width.into()), look.heading());
    let events = match events {
        Ok(events) => events,
        Err(why) => {
            let why = fold(why, Some(area.width));
            let why = why
                .lines()
                .map(|line| Line::styled(line.to_owned(), look.notice()));
            return std::iter::once(title("EVENTS are not shown"))
                .chain(why)
                .collect();
        }
    };
    let room = usize::from(area.height.saturating_sub(HEAD));
    let newest: Vec<_> = events.iter().rev().take(room).cloned().collect();
    let mut lines = vec![title("EVENTS  the newest packets of a sample")];
    if newest.is_empty() {
        lines.push(Line::raw("none"));
        return lines;
    }
    let table = table::text(
        &COLUMNS,
        &newest,
        &look.zone,
        table::Look {
            width: Some(area.width),
            is_wide: false,
            has_header: true,
        },
    );
    lines.push(Line::styled(
        left(&table.header, area.width.into()),
        look.heading(),
    ));
    lines.extend(table.rows.lines().map(|line| Line::raw(line.to_owned())));
    lines.truncate(area.height.into());
    lines
}
