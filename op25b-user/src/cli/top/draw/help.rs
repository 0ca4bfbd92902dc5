//! The keys.

use ratatui::text::Line;

use super::{look::Look, text::left};
use crate::cli::{table::fold_below, top::keys::KEYS};

/// The width of the names of keys.
const NAMES: usize = 15;

/// The keys with what they do, and what the columns are.
pub(super) fn lines(look: &Look, width: u16) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(left("KEYS", width.into()), look.heading())];
    lines.extend(KEYS.iter().flat_map(|(keys, what)| {
        let keys = if look.has_unicode {
            (*keys).to_owned()
        } else {
            keys.replace('↑', "Up").replace('↓', "Down")
        };
        folded(&format!("{} {what}", left(&keys, NAMES)), NAMES + 1, width)
    }));
    lines.push(Line::styled(left("COLUMNS", width.into()), look.heading()));
    for (column, what) in [
        ("PKT/S", "packets of a second, between the last two answers"),
        (
            "DEST",
            "distinct destinations, about, in the current bucket of the history",
        ),
        ("PACKETS", "all since the subscriber was first seen"),
    ] {
        lines.extend(folded(
            &format!("{} {what}", left(column, NAMES)),
            NAMES + 1,
            width,
        ));
    }
    lines
}

fn folded(text: &str, indent: usize, width: u16) -> Vec<Line<'static>> {
    let folded = fold_below(text, indent, Some(width));
    folded.lines().map(|line| Line::raw(line.to_owned())).collect()
}
