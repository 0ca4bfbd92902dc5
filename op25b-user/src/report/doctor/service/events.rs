//! The services that forward events to collectors: whether each can.

use std::path::Path;

use super::{
    Check, Line,
    instances::{Instance, Instances, Template},
    systemctl::Unit,
};
use crate::{
    collector::{Destination, Transport},
    report::doctor::Grade,
};

/// The unit that forwards them.
const TEMPLATE: Template = Template {
    check: Check::Events,
    key: "events",
    in_policy: "events: {}",
    to: "syslog+tls://HOST",
    never: "no event is forwarded",
    not_now: "no event is forwarded, and the daemon keeps the newest 10,000 until it ends",
};

/// The forwarders that are configured in a folder, or enabled.
pub(super) struct Forwarders(Instances);

impl Forwarders {
    /// Those of a folder, and those that the folders of systemd's links have.
    pub(super) fn of(folder: &Path, enabled: &[&Path]) -> Self {
        Self(Instances::of(&TEMPLATE, folder, enabled))
    }

    /// Their units.
    pub(super) fn units(&self) -> Vec<String> {
        self.0.units()
    }

    /// Examines them. Whether the policy has `events` may not be known, and neither the states of the units. That there is none is
    /// no fault of a policy with `events`: they are read without one as well.
    pub(super) fn lines(&self, has_events: Option<bool>, units: &[Unit]) -> Vec<Line> {
        let forwarders = self.0.with(units);
        let lines = forwarders.flat_map(|(forwarder, unit)| lines_of(&forwarder, has_events, unit));
        // The filter does not depend on it.
        lines.map(|line| line.at_most(Grade::Warn)).collect()
    }
}

/// Examines one.
fn lines_of(forwarder: &Instance<'_>, has_events: Option<bool>, unit: Option<&Unit>) -> Vec<Line> {
    let state = unit.and_then(|unit| forwarder.state(has_events != Some(false), unit));
    let mut lines: Vec<_> = state.into_iter().collect();
    match destination(forwarder) {
        Err(line) => lines.push(line),
        Ok(to) => {
            lines.extend(unreachable(forwarder, &to));
            if lines.is_empty() {
                lines.push(forwarder.sends(&shown(&to), unit));
            }
        }
    }
    lines
}

/// Where a forwarder sends to, or what is wrong with its file.
fn destination(forwarder: &Instance<'_>) -> Result<Destination, Line> {
    Destination::parse(forwarder.settings()?.value("TO")).map_err(|wanted| {
        let path = forwarder.file("conf");
        Line::warn(
            Check::Events,
            format!(
                "`TO=` in {} is nothing that events can be forwarded to",
                path.display()
            ),
            wanted,
        )
    })
}

/// That no connection can be made to a collector, if it cannot. For datagrams and for the journal there is none.
fn unreachable(forwarder: &Instance<'_>, to: &Destination) -> Option<Line> {
    match to {
        Destination::Collector(address) if address.transport != Transport::Udp => {
            forwarder.unreachable("", &address.host)
        }
        _ => None,
    }
}

fn shown(to: &Destination) -> String {
    match to {
        Destination::Journal => "the journal of this machine".to_owned(),
        Destination::Collector(address) if address.transport == Transport::Udp => {
            format!("{to}, and nothing shows whether datagrams arrive there")
        }
        Destination::Collector(_) => to.to_string(),
    }
}

#[cfg(test)]
mod tests;
