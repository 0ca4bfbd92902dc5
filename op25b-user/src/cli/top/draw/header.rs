//! The first lines, which say whether the policy is enforced and what is looked at, and the last one with the keys.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::{look::Look, text::left};
use crate::{
    cli::{
        status::headline::headline,
        top::state::{Link, Screen, State},
    },
    report::Enforcement,
    time::show,
};

/// The first lines.
pub(super) fn lines(state: &State, look: &Look, width: u16) -> Vec<Line<'static>> {
    vec![title(state, look, width), looked_at(state, look, width)]
}

fn title(state: &State, look: &Look, width: u16) -> Line<'static> {
    let time = state
        .now
        .to_zoned_datetime(look.zone.clone())
        .strftime("%H:%M:%S %:z")
        .to_string();
    let headline = state
        .sample
        .as_ref()
        .map_or_else(|| "no answer yet".to_owned(), |sample| headline(&sample.status));
    let room = usize::from(width).saturating_sub(time.width() + 3);
    let text = format!(" {} {time} ", left(&format!("op25b top  {headline}"), room));
    let is_wrong = state
        .sample
        .as_ref()
        .is_none_or(|sample| sample.status.state != Enforcement::Enforced);
    let style = Look::reversed();
    let style = if is_wrong {
        style.patch(look.alarm())
    } else {
        style
    };
    Line::styled(left(&text, width.into()), style)
}

/// What is looked at; or that the daemon does not answer, which matters more.
fn looked_at(state: &State, look: &Look, width: u16) -> Line<'static> {
    if let Link::Down { since, why } = &state.link {
        let time = show::length(state.now.duration_since(*since));
        let text = format!(" NO ANSWER for {time}, what is shown is older: {why}");
        return Line::styled(left(&text, width.into()), look.alarm());
    }
    let query = &state.look.query;
    let pool = query.pool.iter().map(|pool| format!("pool {pool}"));
    let within = query.within.iter().map(|within| format!("in {within}"));
    let filter: Vec<_> = pool.chain(within).collect();
    let filter = if filter.is_empty() {
        "all subscribers".to_owned()
    } else {
        format!("FILTER {}", filter.join(", "))
    };
    let text = format!(
        " every {} s  {filter}  sorted by {}",
        state.interval.as_secs(),
        query.sort.name()
    );
    let mut notices = Vec::new();
    if state.is_frozen {
        notices.push(Span::styled("  FROZEN: Space goes on", look.notice()));
    }
    let warnings = state
        .sample
        .as_ref()
        .map_or(0, |sample| sample.status.faults.len());
    if warnings > 0 {
        let text = format!("  {warnings} FAULTS: see `op25b status`");
        notices.push(Span::styled(text, look.alarm()));
    }
    if let Link::Up(at) = &state.link
        && !state.is_frozen
        && state.now.duration_since(*at) > slow(state)
    {
        let time = show::length(state.now.duration_since(*at));
        let text = format!("  the last answer is {time} old");
        notices.push(Span::styled(text, look.notice()));
    }
    // They matter more than what is looked at.
    let used: usize = notices.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used).min(text.width());
    Line::from([vec![Span::raw(left(&text, room))], notices].concat())
}

/// An answer that takes longer than this is said to be awaited.
fn slow(state: &State) -> jiff::SignedDuration {
    let interval = jiff::SignedDuration::try_from(state.interval);
    interval.unwrap_or_default() + jiff::SignedDuration::from_secs(4)
}

/// The last line: the keys, or the filter that is typed.
pub(super) fn foot(state: &State, look: &Look, width: u16) -> Line<'static> {
    match &state.screen {
        Screen::Filter(prompt) => {
            let mut spans = vec![Span::raw(format!("filter: {}_", left_open(&prompt.text)))];
            match &prompt.wrong {
                Some(wrong) => spans.push(Span::styled(format!("  {wrong}"), look.alarm())),
                None => spans.push(Span::raw(
                    "  a pool, a prefix or an address; Enter applies, Esc leaves it",
                )),
            }
            Line::from(spans)
        }
        Screen::Details(_) => keys("Esc back  ↑↓ scroll  Space freeze  ? keys  q quit", look, width),
        Screen::Help => keys("any key: back  q quit", look, width),
        Screen::Main => keys(
            "q quit  s sort  / filter  p pool  Space freeze  ↑↓ Enter details  ? keys",
            look,
            width,
        ),
    }
}

/// What was typed, without characters that control a terminal.
fn left_open(text: &str) -> String {
    crate::policy::characters::printable(text).into_owned()
}

fn keys(text: &str, look: &Look, width: u16) -> Line<'static> {
    let text = if look.has_unicode {
        text.to_owned()
    } else {
        text.replace("↑↓", "Up Down")
    };
    Line::styled(left(&format!(" {text}"), width.into()), Look::reversed())
}
