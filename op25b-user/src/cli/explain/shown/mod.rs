//! An explanation as text and as JSON.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use jiff::{Timestamp, tz::TimeZone};
use op25b_common::Verdict;
use serde::Serialize;

use super::answer::Answered;
use crate::{
    api::{Elsewhere, Explained, FilePosition, NotInForce, Rule, RuleKind},
    cli::table::fold_below,
    policy::{DecidingPhase, Pause, characters::printable},
    report::{NO_FILTER, paused_until},
    time::show,
};

/// The explanation, as `--json` writes it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ShownExplanation {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// The IPv4 address that the destination is translated to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nat64: Option<Ipv4Addr>,
    pub(super) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy_file: Option<PathBuf>,
    #[serde(flatten)]
    pub(super) program: ShownDecision,
    #[serde(flatten)]
    pub(super) place: Place,
    /// The exemptions of the source that do not let the connection pass, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_in_force: Vec<NotInForce>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more_not_in_force: usize,
    /// Why stored ones are missing among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_error: Option<String>,
    /// The reference's decision, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<ShownDecision>,
    /// What was asked.
    #[serde(skip)]
    pub(super) asked: Asked,
    /// The lines about exemptions.
    #[serde(skip)]
    pub(super) notes: Vec<String>,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The enforced program, by the daemon.
    ByDaemon,
    /// The enforced program, by this process.
    ByCommand,
    /// Another instance, which is compared with the reference.
    Instance,
}

/// The decision of the program or of the reference.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShownDecision {
    pub(super) verdict: Cow<'static, str>,
    pub(super) reason: Cow<'static, str>,
    pub(super) rule: Option<ShownRule>,
    /// Until when the pool is only monitored, or a source in no pool passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// The pause for which it passes until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pause: Option<Pause>,
    /// The phase of the pool that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<DecidingPhase>,
}

/// Where the packet arrives, and in what.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) interfaces: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) other_program: Option<u32>,
    /// Other interfaces at which something else happens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) elsewhere: Vec<ShownElsewhere>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) vlan: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tunnel: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inner_source: Vec<IpAddr>,
    /// Whether the interface was asked for.
    #[serde(skip)]
    pub(super) is_asked_for: bool,
}

/// What happens at other interfaces.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShownElsewhere {
    pub(super) interfaces: Vec<String>,
    #[serde(flatten)]
    pub(super) program: ShownDecision,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) other_program: Option<u32>,
}

/// The rule that decided.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShownRule {
    pub(super) kind: &'static str,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<String>,
    pub(super) prefix: Option<String>,
    /// Its position in the policy file or in a list; `None` if it is stored.
    #[serde(flatten)]
    pub(super) place: Option<FilePosition>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl ShownExplanation {
    /// The answer of the enforced program. `is_asked_for` tells whether an interface was named.
    pub(in crate::cli) fn of(
        answered: Answered,
        is_asked_for: bool,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let Answered {
            explained,
            policy_file,
            by_daemon,
        } = answered;
        let notes = explained.notes(now, zone);
        let Explained {
            source,
            destination,
            nat64,
            port,
            verdict,
            reason,
            rule,
            until,
            pause,
            phase,
            interfaces,
            role,
            elsewhere,
            other_program,
            vlan,
            tunnel,
            inner_source,
            not_in_force,
            more_not_in_force,
            store_error,
        } = explained;
        Self {
            source,
            destination,
            nat64,
            port,
            policy_file,
            program: ShownDecision::new(verdict, reason, rule, (until, pause, phase)),
            place: Place {
                interfaces,
                role,
                other_program,
                elsewhere: elsewhere.into_iter().map(ShownElsewhere::new).collect(),
                vlan,
                tunnel,
                inner_source,
                is_asked_for,
            },
            not_in_force,
            more_not_in_force,
            store_error,
            model: None,
            asked: if by_daemon {
                Asked::ByDaemon
            } else {
                Asked::ByCommand
            },
            notes,
        }
    }

    /// The text, with instants in a time zone, folded to a width if there is one.
    pub(in crate::cli) fn text(&self, zone: &TimeZone, width: Option<u16>) -> String {
        let translated = self
            .nat64
            .map_or(String::new(), |address| format!(" ({address})"));
        let verdict = self
            .program
            .verdict_at(&self.place.interfaces, self.place.other_program);
        let mut text = format!(
            "{} -> {}{translated} port {}: {verdict}\n",
            self.source, self.destination, self.port
        );
        let mut line = |label: &str, words: &str| {
            let line = [&format!("  {label:<9}"), words].concat();
            text.push_str(&(fold_below(&line, 13, width) + "\n"));
        };
        if self.program.reason != NO_FILTER {
            line("reason", &self.program.reason);
        }
        if let Some(rule) = &self.program.rule {
            line("rule", &rule.text());
        }
        if let Some(mode) = self.program.mode(zone) {
            line("mode", &mode);
        }
        let place = &self.place;
        let is_filtered = self.program.reason != NO_FILTER;
        if is_filtered && (place.is_asked_for || !place.elsewhere.is_empty()) {
            let role = place.role.as_deref().unwrap_or_default();
            line("on", &format!("{} ({role})", place.interfaces.join(", ")));
        }
        if let Some(frame) = place.frame() {
            line("in", &frame);
        }
        for elsewhere in &place.elsewhere {
            line("but", &elsewhere.text(zone));
        }
        for note in &self.notes {
            line("note", note);
        }
        match (&self.model, self.asked) {
            (Some(model), _) => {
                let rule = model.rule.as_ref().map_or("no rule".into(), ShownRule::text);
                let decision = [&model.verdict, &model.reason, rule.as_str()].join(", ");
                line(
                    "WRONG",
                    &format!("the reference decides {decision}: this is a fault in op25b"),
                );
            }
            (None, Asked::Instance) => line("from", "another instance of the program; the reference agrees"),
            (None, _) if !is_filtered => {}
            (None, Asked::ByDaemon) => line("from", "the enforced program"),
            (None, Asked::ByCommand) => line("from", "the enforced program; no daemon answers for it"),
        }
        text
    }
}

impl ShownDecision {
    fn new(
        verdict: String,
        reason: String,
        rule: Option<Rule>,
        (until, pause, phase): (Option<Timestamp>, Option<Pause>, Option<DecidingPhase>),
    ) -> Self {
        Self {
            verdict: verdict.into(),
            reason: reason.into(),
            rule: rule.map(ShownRule::new),
            until,
            pause,
            phase,
        }
    }

    /// `drop`, or `pass: no filter on eth2`.
    fn verdict_at(&self, interfaces: &[String], other_program: Option<u32>) -> String {
        if self.reason != NO_FILTER {
            return self.verdict.clone().into_owned();
        }
        let place = match interfaces {
            [] => "on any interface here".to_owned(),
            interfaces => format!("on {}", interfaces.join(", ")),
        };
        let other = other_program.map_or_else(String::new, |program| {
            format!(" (XDP program {program} of somebody else runs there)")
        });
        format!("{}: no filter {place}{other}", self.verdict)
    }

    /// Until when a pool is only monitored, or a source in no pool passes, and for which pause or phase.
    fn mode(&self, zone: &TimeZone) -> Option<String> {
        let phase = self.phase.map(|phase| {
            let from = phase
                .from
                .map(|from| format!(", from {}", show::minute(from, zone)));
            format!("{phase}{}", from.unwrap_or_default())
        });
        match (&self.pause, self.until) {
            (Some(pause), _) if self.rule.is_none() => {
                let paused = paused_until(pause, zone);
                Some(format!("pass, not `unlisted: drop` (paused {paused})"))
            }
            (Some(pause), _) => Some(format!("monitor (paused {})", paused_until(pause, zone))),
            (None, Some(until)) => {
                let phase = self.phase.map(|phase| format!(": {phase}"));
                let until = show::minute(until, zone);
                Some(format!("monitor until {until}{}", phase.unwrap_or_default()))
            }
            (None, None) if self.verdict == Verdict::Pass.name() => Some(format!("monitor: {}", phase?)),
            (None, None) => Some(format!("enforce: {}", phase?)),
        }
    }
}

impl ShownElsewhere {
    fn new(elsewhere: Elsewhere) -> Self {
        let Elsewhere {
            interfaces,
            verdict,
            reason,
            rule,
            until,
            pause,
            phase,
            other_program,
        } = elsewhere;
        Self {
            interfaces,
            program: ShownDecision::new(verdict, reason, rule, (until, pause, phase)),
            other_program,
        }
    }

    fn text(&self, zone: &TimeZone) -> String {
        let program = &self.program;
        let verdict = program.verdict_at(&self.interfaces, self.other_program);
        if program.reason == NO_FILTER {
            return verdict;
        }
        let rule = program.rule.as_ref().map(ShownRule::text);
        let words = [Some(program.reason.to_string()), rule, program.mode(zone)];
        let words: Vec<String> = words.into_iter().flatten().collect();
        format!(
            "{verdict} on {}: {}",
            self.interfaces.join(", "),
            words.join(", ")
        )
    }
}

impl Place {
    /// `VLAN 100, 4in6 from 192.0.0.2`; nothing for a plain frame.
    fn frame(&self) -> Option<String> {
        let tags = self.vlan.iter().map(|id| format!("VLAN {id}"));
        let tunnels = self.tunnel.iter().zip(&self.inner_source);
        let tunnels = tunnels.map(|(tunnel, source)| format!("{tunnel} with {source} inside"));
        let parts: Vec<String> = tags.chain(tunnels).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl ShownRule {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            kind: match rule.kind {
                RuleKind::Pool => "pool",
                RuleKind::Relay => "relay",
                RuleKind::Exemption => "exemption",
            },
            name: rule.name,
            id: rule.id,
            ticket: rule.ticket,
            prefix: rule.prefix,
            place: rule.place,
        }
    }

    fn text(&self) -> String {
        let prefix = self
            .prefix
            .as_ref()
            .map_or(String::new(), |prefix| format!(" ({prefix})"));
        let ticket = self
            .ticket
            .as_ref()
            .map_or(String::new(), |ticket| format!(", ticket {}", printable(ticket)));
        let source = match (&self.place, &self.id) {
            (Some(FilePosition { file, line, column }), _) => {
                format!(", {}:{line}:{column}", file.display())
            }
            (None, Some(id)) => format!(", {id}"),
            (None, None) => String::new(),
        };
        format!("{} {}{prefix}{ticket}{source}", self.kind, printable(&self.name))
    }
}

#[cfg(test)]
mod tests;
