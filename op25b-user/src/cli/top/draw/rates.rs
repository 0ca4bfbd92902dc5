//! The rates of reasons and of pools, with how they were in the last minutes.

use op25b_common::Reason;
use ratatui::{
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr as _;

use super::{
    BETWEEN,
    look::Look,
    spark::spark,
    text::{count, left, name, rate, right},
};
use crate::{
    cli::top::{
        per_second::{Recently, of_recent},
        state::State,
    },
    report::{PoolRate, PoolStatus, PoolWord},
};

const TREND: &str = "TREND";
const NAME: usize = 14;
/// The widest name of a reason, that of an uplink interface's, where there is room for it.
const LONG_NAME: usize = 20;
/// The least width of the panel of reasons.
const LEAST: u16 = 30;
const RATE: usize = 8;
const TOTAL: usize = 13;
/// A column of totals is left out below this width.
const WITH_TOTAL: u16 = 50;
const STATE: usize = 8;
/// As wide as the subscribers that do something now.
const ACTIVE: usize = 8;
/// The column of those is left out below this width.
const WITH_ACTIVE: u16 = 50;

/// How many lines both panels want, with their headings.
pub(super) fn sizes(state: &State) -> [u16; 2] {
    let size = |rows: usize| u16::try_from(rows + 1).unwrap_or(u16::MAX);
    let pools = state
        .sample
        .as_ref()
        .map_or(0, |sample| sample.status.pools.len());
    [size(state.history.reasons.len().max(1)), size(pools.max(1))]
}

/// How wide the panel of pools is of so much: half of it, or as much more as long names take and the other one can spare.
pub(super) fn width_of_pools(state: &State, width: u16) -> u16 {
    let half = width.saturating_sub(BETWEEN) / 2;
    let active = if half >= WITH_ACTIVE { ACTIVE + 1 } else { 0 };
    let wanted = longest_pool(state) + STATE + RATE + 2 + active;
    let wanted = u16::try_from(wanted).unwrap_or(u16::MAX);
    half.max(wanted.min(width.saturating_sub(BETWEEN + LEAST)))
}

/// The width of the longest name of a pool, or that which names have at least.
fn longest_pool(state: &State) -> usize {
    let pools = state.sample.iter().flat_map(|sample| &sample.status.pools);
    pools.map(|pool| pool.name.width()).fold(NAME, usize::max)
}

/// The rates of reasons.
pub(super) fn reasons(state: &State, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let has_total = area.width >= WITH_TOTAL;
    let names = state.history.reasons.iter().map(|reason| reason.name().len());
    let longest = if has_total { LONG_NAME } else { NAME };
    let name = names.max().unwrap_or(0).clamp(NAME, longest);
    let used = name + RATE + 2 + if has_total { TOTAL + 1 } else { 0 };
    let width = usize::from(area.width).saturating_sub(used);
    let total = |text: &str| {
        if has_total {
            format!(" {}", right(text, TOTAL))
        } else {
            String::new()
        }
    };
    let heading = format!(
        "{} {}{} {}",
        left("REASON", name),
        right("PKT/S", RATE),
        total("PACKETS"),
        left(TREND, width)
    );
    let mut lines = vec![Line::styled(heading, look.heading())];
    if state.history.reasons.is_empty() {
        lines.push(Line::raw("the filter cannot be read"));
    }
    lines.extend(state.history.reasons.iter().map(|reason| {
        let style = style_of(reason.reason, look);
        let series = state.history.of_reason(reason);
        let text = format!(
            "{} {}{} ",
            left(&reason.name(), name),
            right(&rate(reason.per_second), RATE),
            total(&count(reason.packets))
        );
        Line::from(vec![
            Span::raw(text),
            Span::styled(spark(series, width, look), style),
        ])
    }));
    shortened(lines, area.height, "reasons")
}

fn style_of(reason: Reason, look: &Look) -> Style {
    match reason {
        Reason::Blocked | Reason::Uninspectable => look.blocked(),
        Reason::Monitored => look.monitored(),
        _ => look.good(),
    }
}

/// The rates of pools: in the order of the policy or, if there is no room for all, those first with which something is wrong or that
/// have the most packets.
pub(super) fn pools(state: &State, look: &Look, area: Rect) -> Vec<Line<'static>> {
    let has_active = area.width >= WITH_ACTIVE;
    let used = STATE + RATE + 3 + if has_active { ACTIVE + 1 } else { 0 };
    let room = usize::from(area.width).saturating_sub(used);
    // A name that is whole is worth more than a trend, and a number more than a name.
    let of_name = longest_pool(state).min(room);
    let width = room.saturating_sub(of_name);
    let active = |text: &str| {
        if has_active {
            format!(" {}", right(text, ACTIVE))
        } else {
            String::new()
        }
    };
    let heading = format!(
        "{} {} {}{} {}",
        left("POOL", of_name),
        left("STATE", STATE),
        right("PKT/S", RATE),
        active("ACTIVE"),
        if width < TREND.len() { "" } else { TREND }
    );
    let mut lines = vec![Line::styled(heading, look.heading())];
    let Some(sample) = &state.sample else {
        return lines;
    };
    let rates = sample.rates.as_ref();
    let pools = sample.status.pools.iter().map(|pool| {
        let measured = rates.and_then(|rates| {
            let found = rates.pools.iter().find(|rate| rate.pool == pool.name)?;
            Some((found, rates.measured_ms))
        });
        let now = measured.and_then(|(found, measured)| of_recent(found.recent, measured));
        (pool, measured, now.map(Recently::packets))
    });
    let mut pools: Vec<_> = pools.collect();
    if pools.len() >= usize::from(area.height) {
        pools.sort_by(|(one, _, of_one), (other, _, of_other)| {
            let rates = of_other.unwrap_or(-1.0).total_cmp(&of_one.unwrap_or(-1.0));
            is_wrong(other).cmp(&is_wrong(one)).then(rates)
        });
    }
    for (pool, measured, now) in pools {
        let word = word(pool);
        let is_enforced = word == "enforce" || word == "partial";
        let style = if is_enforced {
            look.blocked()
        } else {
            look.monitored()
        };
        let is_active = |(found, _): (&PoolRate, _)| found.active;
        let counted = measured.and_then(is_active).map_or_else(
            || "-".to_owned(),
            |active| count(u64::try_from(active).unwrap_or(u64::MAX)),
        );
        let text = format!(
            "{} {} {}{} ",
            name(&pool.name, of_name),
            left(word, STATE),
            right(&rate(now), RATE),
            active(&counted)
        );
        let series = state.history.of_pool(&pool.name);
        lines.push(Line::from(vec![
            Span::raw(text),
            Span::styled(spark(series, width, look), style),
        ]));
    }
    shortened(lines, area.height, "pools")
}

/// Whether the kernel does something else with a pool than the policy says.
fn is_wrong(pool: &PoolStatus) -> bool {
    pool.is_paused() || pool.differs()
}

/// What is done with a pool.
pub(in crate::cli::top) fn word(pool: &PoolStatus) -> &'static str {
    if pool.is_paused() {
        return "PAUSED";
    }
    if pool.differs() {
        return "DIFFERS";
    }
    match pool.actual.or(pool.wanted).map(|state| state.mode) {
        Some(PoolWord::Enforce) => "enforce",
        Some(PoolWord::Partial) => "partial",
        Some(PoolWord::Monitor) => "monitor",
        Some(PoolWord::Mixed) => "MIXED",
        None => "-",
    }
}

/// As many lines as there is room for; the last one says how many are missing.
pub(super) fn shortened(mut lines: Vec<Line<'static>>, height: u16, what: &str) -> Vec<Line<'static>> {
    let height = usize::from(height);
    if lines.len() > height && height > 1 {
        let missing = lines.len() - height + 1;
        lines.truncate(height - 1);
        lines.push(Line::raw(format!("and {missing} more {what}")));
    }
    lines
}
