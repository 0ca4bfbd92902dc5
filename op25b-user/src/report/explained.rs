//! An explanation in the terms of the API.

use std::path::Path;

use crate::{
    api::{Elsewhere, Explained, FilePosition, Rule, RuleKind},
    enforcer::{self, Answer, Explanation, MatchedRule},
};

/// The reason of what passes because no filter runs.
pub(crate) const NO_FILTER: &str = "no_filter";

/// The explanation of a connection, without exemptions that are not in force.
pub(crate) fn explained(explanation: Explanation, policy_file: &Path) -> Explained {
    let Explanation {
        packet,
        nat64,
        answer,
        interfaces,
        elsewhere,
    } = explanation;
    let elsewhere = elsewhere.into_iter();
    let role = answer.role.map(|role| role.name().to_owned());
    let here = at(Vec::new(), answer, policy_file);
    Explained {
        source: packet.sources[0],
        destination: packet.destination,
        nat64,
        port: packet.port,
        verdict: here.verdict,
        reason: here.reason,
        rule: here.rule,
        until: here.until,
        pause: here.pause,
        phase: here.phase,
        interfaces,
        role,
        elsewhere: elsewhere
            .map(|(interfaces, answer)| at(interfaces, answer, policy_file))
            .collect(),
        other_program: here.other_program,
        vlan: packet.vlan,
        tunnel: packet
            .tunnels
            .iter()
            .map(|tunnel| tunnel.name().to_owned())
            .collect(),
        inner_source: packet.sources[1..].to_vec(),
        // The store is read by who serves the answer.
        not_in_force: Vec::new(),
        more_not_in_force: 0,
        store_error: None,
    }
}

fn at(interfaces: Vec<String>, answer: Answer, policy_file: &Path) -> Elsewhere {
    Elsewhere {
        interfaces,
        verdict: answer.verdict.name().to_owned(),
        reason: answer.reason.map_or(NO_FILTER, |reason| reason.name()).to_owned(),
        rule: answer.rule.map(|rule| matched_rule(rule, policy_file)),
        until: answer.until,
        pause: answer.pause,
        phase: answer.phase,
        other_program: answer.other_program,
    }
}

fn matched_rule(rule: MatchedRule, policy_file: &Path) -> Rule {
    Rule {
        kind: match rule.kind {
            enforcer::RuleKind::Pool => RuleKind::Pool,
            enforcer::RuleKind::Relay => RuleKind::Relay,
            enforcer::RuleKind::Exemption => RuleKind::Exemption,
        },
        name: rule.name,
        id: rule.id,
        ticket: rule.ticket,
        prefix: rule.prefix.map(|prefix| prefix.to_string()),
        place: rule.position.map(|position| FilePosition {
            file: rule.list.unwrap_or_else(|| policy_file.to_owned()),
            line: position.line,
            column: position.column,
        }),
    }
}
