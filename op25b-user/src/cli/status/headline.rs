//! The first line of `op25b status`: whether the policy is enforced, and if not, where.

use crate::{
    counted::counted,
    report::{Enforcement, InterfaceState, PoolStatus, PoolWord, Status},
};

/// Whether the policy is enforced, and where not, in one line.
pub(in crate::cli) fn headline(status: &Status) -> String {
    let bare = bare(status);
    let all = counted(status.interfaces.len(), "interface");
    match status.state {
        Enforcement::Enforced if is_monitored_only(&status.pools) => {
            format!("MONITORING only, on {all}: no pool is enforced{}", alone(status))
        }
        Enforcement::Enforced => format!("enforcing on {all}{}", alone(status)),
        Enforcement::Degraded => format!("PARTLY enforcing: {bare}{}", alone(status)),
        Enforcement::Open if !bare.is_empty() => format!("NOT enforcing: {bare}{}", alone(status)),
        Enforcement::Open => {
            format!(
                "NOT enforcing: no op25b filter is running on the interfaces of this network namespace{}",
                elsewhere(status)
            )
        }
    }
}

/// That no daemon runs, where a policy should be enforced.
fn alone(status: &Status) -> &'static str {
    match status.daemon {
        Some(_) => "",
        None => ", and no daemon runs",
    }
}

/// Whether no pool is enforced, by the kernel as far as it could be asked.
fn is_monitored_only(pools: &[PoolStatus]) -> bool {
    let mut states = pools.iter().map(|pool| pool.actual.or(pool.wanted));
    !pools.is_empty() && states.all(|state| state.is_some_and(|state| state.mode == PoolWord::Monitor))
}

/// The interfaces that are not enforced, in words.
fn bare(status: &Status) -> String {
    let names = |is_unknown: bool| -> Vec<&str> {
        let interfaces = status.interfaces.iter();
        let bare = interfaces.filter(|interface| {
            interface.state != InterfaceState::Enforced
                && (interface.state == InterfaceState::Unknown) == is_unknown
        });
        bare.map(|interface| interface.name.as_str()).collect()
    };
    let (bare, unknown) = (names(false), names(true));
    let mut parts = Vec::new();
    if !bare.is_empty() {
        let verb = if bare.len() == 1 { "has" } else { "have" };
        parts.push(format!("{} {verb} no filter", listed(&bare)));
    }
    if !unknown.is_empty() {
        parts.push(format!("{} cannot be examined", listed(&unknown)));
    }
    parts.join("; ")
}

/// `eth1`, `eth1 and eth2`, `eth1, eth2 and eth3`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Where the filter of the pin directory runs instead, or that the daemon waits.
fn elsewhere(status: &Status) -> String {
    match (&status.elsewhere, status.daemon) {
        (Some(elsewhere), daemon) => format!(
            "; the one that is pinned runs in another, {}, on {} ({})",
            elsewhere.network_namespace,
            elsewhere.interfaces.join(", "),
            daemon.map_or_else(|| "no daemon runs".into(), |pid| format!("daemon: process {pid}"))
        ),
        (None, Some(pid)) => format!("; the daemon, process {pid}, waits for interfaces"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use InterfaceState::{Enforced, Lost, Missing, Unfiltered, Unknown};

    use super::*;
    use crate::cli::status::tests::{example, interface};

    #[test]
    fn the_first_line_names_what_has_no_filter() {
        let of = |states: &[(&str, InterfaceState)]| {
            let interfaces = states.iter().map(|(name, state)| interface(name, *state));
            headline(&example(interfaces.collect()))
        };
        assert_eq!(
            of(&[("eth1", Enforced), ("eth2", Enforced)]),
            "enforcing on 2 interfaces"
        );
        assert_eq!(
            of(&[("eth1", Enforced), ("eth2", Missing)]),
            "PARTLY enforcing: eth2 has no filter"
        );
        assert_eq!(
            of(&[
                ("eth1", Enforced),
                ("eth2", Missing),
                ("eth3", Lost),
                ("eth4", Unfiltered)
            ]),
            "PARTLY enforcing: eth2, eth3 and eth4 have no filter"
        );
        assert_eq!(
            of(&[("eth1", Enforced), ("eth2", Lost), ("eth3", Unknown)]),
            "PARTLY enforcing: eth2 has no filter; eth3 cannot be examined"
        );
        assert_eq!(
            of(&[("eth1", Lost), ("eth2", Missing)]),
            "NOT enforcing: eth1 and eth2 have no filter"
        );
    }

    #[test]
    fn a_policy_that_only_monitors_is_not_called_enforcing_and_a_missing_daemon_is_named() {
        let mut status = example(vec![interface("eth1", Enforced)]);
        status.daemon = None;
        assert_eq!(headline(&status), "enforcing on 1 interface, and no daemon runs");
        for pool in &mut status.pools {
            let state = pool.actual.as_mut().unwrap();
            state.mode = PoolWord::Monitor;
        }
        assert_eq!(
            headline(&status),
            "MONITORING only, on 1 interface: no pool is enforced, and no daemon runs"
        );
    }
}
