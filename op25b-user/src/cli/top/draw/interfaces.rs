//! The interfaces of the policy: those on which something is wrong come first.

use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

use super::{
    look::Look,
    rates::shortened,
    text::{left, right},
};
use crate::{
    cli::{
        status::tables::{actual, why_not},
        top::state::State,
    },
    report::{InterfaceReport, InterfaceState},
    time::show,
};

const NAME: usize = 16;
const ROLE: usize = 10;
const STATE: usize = 10;
const PROGRAM: usize = 8;

/// How many lines they want, with the headings.
pub(super) fn size(state: &State) -> u16 {
    let interfaces = state
        .sample
        .as_ref()
        .map_or(0, |sample| sample.status.interfaces.len());
    u16::try_from(interfaces + 1).unwrap_or(u16::MAX)
}

/// The interfaces.
pub(super) fn lines(state: &State, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let heading = format!(
        "{} {} {} {}  SINCE",
        left("INTERFACE", NAME),
        left("ROLE", ROLE),
        left("XDP", STATE),
        right("PROGRAM", PROGRAM)
    );
    let heading = left(&heading, area.width.into());
    let mut lines = vec![Line::styled(heading, look.heading())];
    let interfaces = state.sample.iter().flat_map(|sample| &sample.status.interfaces);
    let mut interfaces: Vec<_> = interfaces.collect();
    interfaces.sort_by_key(|interface| interface.state == InterfaceState::Enforced);
    lines.extend(
        interfaces
            .into_iter()
            .map(|interface| line(interface, look, area.width)),
    );
    shortened(lines, area.height, "interfaces")
}

fn line(interface: &InterfaceReport, look: &Look, width: u16) -> Line<'static> {
    let is_enforced = interface.state == InterfaceState::Enforced;
    let program = interface.program_id.filter(|_| is_enforced);
    let program = program.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let rest = if is_enforced {
        let since = interface.since.map(|since| show::instant(since, &look.zone));
        since.unwrap_or_else(|| "-".to_owned())
    } else {
        why_not(interface)
    };
    let before = format!(
        "{} {} ",
        left(&interface.name, NAME),
        left(interface.role.as_deref().unwrap_or("-"), ROLE)
    );
    let after = format!(" {}  {rest}", right(&program, PROGRAM));
    let room = usize::from(width).saturating_sub(before.len() + STATE);
    let style = if is_enforced { look.good() } else { look.alarm() };
    Line::from(vec![
        Span::raw(before),
        Span::styled(left(&actual(interface), STATE), style),
        Span::raw(left(&after, room)),
    ])
}
