//! Draws a live view: what is shown follows from the state, the size of the screen and what the terminal can show.

mod details;
mod events;
mod header;
mod help;
mod interfaces;
mod look;
pub(super) mod rates;
mod spark;
mod subscribers;
#[cfg(test)]
mod tests;
pub(super) mod text;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

pub(super) use self::look::Look;
use super::state::{Screen, State};

/// The lines of the head: title, what is looked at, and whether the daemon answers.
const HEAD: u16 = 2;
/// The blanks between the panels of reasons and of pools.
const BETWEEN: u16 = 2;
/// The fewest lines of subscribers, with the title and the headings.
const SUBSCRIBERS: u16 = 7;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, look: &Look) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    lines(frame, head, header::lines(state, look, head.width));
    match &state.screen {
        Screen::Details(details) => {
            let all = details::lines(details, state, look, body.width);
            let last = all.len().saturating_sub(usize::from(body.height));
            lines(
                frame,
                body,
                all.into_iter().skip(details.scroll.min(last)).collect(),
            );
        }
        Screen::Help => lines(frame, body, help::lines(look, body.width)),
        Screen::Main | Screen::Filter(_) => main(frame, body, state, look),
    }
    lines(frame, foot, vec![header::foot(state, look, foot.width)]);
}

/// Rates of reasons beside those of pools; then the interfaces, and the subscribers and events in what is left.
fn main(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let [reasons, pools] = rates::sizes(state);
    let interfaces = interfaces::size(state);
    // What does not fit says how much is left out.
    let spare = area.height.saturating_sub(SUBSCRIBERS);
    let interfaces = interfaces.min((spare / 3).max(2));
    let upper = reasons.max(pools).min(spare.saturating_sub(interfaces));
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length(upper),
        Constraint::Length(interfaces),
        Constraint::Fill(1),
    ])
    .areas(area);
    let [left, right] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(rates::width_of_pools(state, upper.width)),
    ])
    .spacing(BETWEEN)
    .areas(upper);
    lines(frame, left, rates::reasons(state, look, left));
    lines(frame, right, rates::pools(state, look, right));
    lines(frame, middle, interfaces::lines(state, look, middle));
    let [subscribers, events] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(events::size(state, lower.height)),
    ])
    .areas(lower);
    lines(frame, subscribers, subscribers::lines(state, look, subscribers));
    lines(frame, events, events::lines(state, look, events));
}

fn lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines), area);
}
