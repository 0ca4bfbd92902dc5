//! The interfaces and pools of `op25b status`: what is wanted of each beside what is there.

use super::lines::{Lines, Row};
use crate::report::{InterfaceReport, InterfaceState, PoolState, PoolStatus, PoolWord};

/// What is wanted of each interface and what is there. Why there is no filter is in a line of its own.
pub(super) fn interfaces(lines: &mut Lines<'_>, interfaces: &[InterfaceReport]) {
    if interfaces.is_empty() {
        return;
    }
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let header = ["interface", "role", "wanted", "actual", "program", "since"];
    let mut rows = vec![(header.map(str::to_owned), None)];
    for interface in interfaces {
        let is_enforced = interface.state == InterfaceState::Enforced;
        let program = interface.program_id.filter(|_| is_enforced);
        let cells = [
            interface.name.clone(),
            or_dash(interface.role.clone()),
            or_dash(interface.wanted_xdp.clone()),
            actual(interface),
            or_dash(program.map(|id| id.to_string())),
            or_dash(interface.since.map(|since| lines.shown(since))),
        ];
        rows.push((cells, (!is_enforced).then(|| why_not(interface))));
    }
    lines.table(&rows);
}

/// The XDP mode in which the filter runs, or that it does not.
pub(in crate::cli) fn actual(interface: &InterfaceReport) -> String {
    match (&interface.xdp, interface.state) {
        (Some(mode), InterfaceState::Enforced) => mode.clone(),
        (None, InterfaceState::Enforced) => "filtered".to_owned(),
        (_, InterfaceState::Unfiltered) => "NONE".to_owned(),
        (_, state) => state.name().to_uppercase(),
    }
}

/// Why an interface has no filter.
pub(in crate::cli) fn why_not(interface: &InterfaceReport) -> String {
    let wait = match interface.wait {
        Some(true) => "wait: true; ",
        _ => "",
    };
    format!("{wait}{}", interface.why.as_deref().unwrap_or("no filter"))
}

/// What is wanted of each pool and what the kernel does.
pub(super) fn pools(lines: &mut Lines<'_>, pools: &[PoolStatus]) {
    if pools.is_empty() {
        return;
    }
    let beside = pool_rows(lines, pools, DatesOfPools::Beside);
    if lines.has_room_for(&beside) {
        lines.table(&beside);
    } else {
        lines.table(&pool_rows(lines, pools, DatesOfPools::Below));
    }
    let unremembered = pools.iter().filter(|pool| !pool.remembered);
    let names: Vec<_> = unremembered.map(|pool| pool.name.as_str()).collect();
    if !names.is_empty() {
        lines.labelled(
            "no records",
            format_args!("of subscribers of {}", names.join(", ")),
        );
    }
}

/// Where the dates until which pools are as they are stand.
#[derive(Clone, Copy)]
enum DatesOfPools {
    /// Beside the word for what is wanted or done.
    Beside,
    /// In a line below the pool's, for a terminal that is too narrow.
    Below,
}

fn pool_rows(lines: &Lines<'_>, pools: &[PoolStatus], dates: DatesOfPools) -> Vec<Row<4>> {
    let header = ["pool", "wanted", "actual", "prefixes"].map(str::to_owned);
    let mut rows = vec![(header, None)];
    for pool in pools {
        let mut below = Vec::new();
        let mut state = |what: &str, state: PoolState| match (dates, state.until) {
            (DatesOfPools::Below, Some(until)) => {
                below.push(format!("{what} until {}", lines.shown(until)));
                pool_word(state.mode).to_owned()
            }
            _ => pool_state(lines, state),
        };
        let paused = if pool.is_paused() { " (paused)" } else { "" };
        let wanted = pool.wanted.map(|wanted| state("wanted", wanted) + paused);
        let actual = match pool.actual {
            None => "-".to_owned(),
            Some(actual) if pool.differs() => format!("DIFFERS: {}", state("actual", actual)),
            // Until when stands with what is wanted.
            Some(actual) => pool_word(actual.mode).to_owned(),
        };
        let cells = [
            pool.name.clone(),
            wanted.unwrap_or_else(|| pool.mode.clone()),
            actual,
            pool.prefixes.to_string(),
        ];
        rows.push((cells, (!below.is_empty()).then(|| below.join("; "))));
    }
    rows
}

fn pool_word(word: PoolWord) -> &'static str {
    match word {
        PoolWord::Enforce => "enforce",
        PoolWord::Partial => "enforce in part",
        PoolWord::Monitor => "monitor",
        PoolWord::Mixed => "enforce here, monitor there",
    }
}

fn pool_state(lines: &Lines<'_>, state: PoolState) -> String {
    match state.until {
        None => pool_word(state.mode).to_owned(),
        Some(until) => format!("{} until {}", pool_word(state.mode), lines.shown(until)),
    }
}
