//! Explains a connection by a policy file that need not be enforced: with an instance of the program that is loaded for this, and
//! compared with the reference.

use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use op25b_common::Reason;

use super::shown::{Asked, Place, ShownDecision, ShownExplanation, ShownRule};
use crate::{
    api::FilePosition,
    cli::policy_file,
    datapath::{Decision, TestRunner, probe::Packet, requirements},
    enforcer::{self, Connection},
    policy::{self, Flow, PoolMode, Rule, reference},
};

/// What the policy in a file decides about a connection.
pub(super) fn explain(path: &Path, connection: &Connection) -> anyhow::Result<ShownExplanation> {
    requirements::check()?;
    let file = policy_file::read_and_print(path)?;
    let source = connection.source;
    let flow = Flow {
        source,
        destination: match connection.destination {
            Some(destination) => file.policy.nat64.reached_from(source, destination),
            None => policy::sample_destination(&file.policy, source, |_| false)
                .context("the policy names every sample destination: give `--dst IP`")?,
        },
        destination_port: connection.port,
    };
    let (program, model) = decide(&file, &flow)?;
    let program = shown_decision(program, &file, &flow);
    let model = shown_decision(model, &file, &flow);
    let differ = program != model;
    Ok(ShownExplanation {
        source: flow.source,
        destination: flow.destination,
        nat64: file.policy.nat64.extract(flow.destination),
        port: flow.destination_port,
        policy_file: Some(file.path),
        program,
        place: Place::default(),
        not_in_force: Vec::new(),
        more_not_in_force: 0,
        store_error: None,
        model: differ.then_some(model),
        asked: Asked::Instance,
        notes: Vec::new(),
    })
}

/// The program's decision and the reference's.
fn decide(file: &policy::File, flow: &Flow) -> anyhow::Result<(reference::Expected, reference::Expected)> {
    let frame = Packet::new(flow.source, flow.destination, flow.destination_port).frame()?;
    let mut runner = TestRunner::load(&file.compiled, &enforcer::describe(file))?;
    let before = reference::decide(&file.policy, flow, Timestamp::now());
    let decision = as_expected(runner.run(&frame)?);
    let after = reference::decide(&file.policy, flow, Timestamp::now());
    // An exemption may expire between the two: then either decision is right.
    let model = if decision == before { before } else { after };
    Ok((decision, model))
}

/// The program's decision in the terms of the reference.
fn as_expected(decision: Decision) -> reference::Expected {
    let list = match decision.reason {
        Reason::Relay => Some(Rule::Relay as fn(usize) -> Rule),
        Reason::Exempt => Some(Rule::Exemption as fn(usize) -> Rule),
        Reason::Uninspectable | Reason::Monitored | Reason::Blocked => Some(Rule::Pool as fn(usize) -> Rule),
        Reason::NotIp
        | Reason::NotTcp
        | Reason::LaterFragment
        | Reason::OtherPort
        | Reason::NotPooled
        | Reason::Established => None,
    };
    reference::Expected {
        verdict: decision.verdict,
        reason: decision.reason,
        rule: list.zip(decision.rule).map(|(rule, index)| rule(index)),
    }
}

fn shown_decision(decision: reference::Expected, file: &policy::File, flow: &Flow) -> ShownDecision {
    let pool = match (decision.reason, decision.rule) {
        (Reason::Monitored | Reason::Blocked, Some(Rule::Pool(index))) => file.policy.pools.get(index),
        _ => None,
    };
    let phase = pool.and_then(|pool| pool.deciding_phase(flow.destination, &file.policy.nat64));
    // The date of a pool that is only monitored until then.
    let until = pool.filter(|pool| decision.reason == Reason::Monitored && pool.mode == PoolMode::Enforce);
    let until = until.and_then(|pool| match phase {
        Some(phase) => phase.from,
        None => pool.phases.first()?.from.map(|from| from.at),
    });
    ShownDecision {
        verdict: decision.verdict.name().into(),
        reason: decision.reason.name().into(),
        rule: decision.rule.and_then(|rule| shown_rule(rule, file, flow)),
        until,
        // A policy file has none.
        pause: None,
        phase,
    }
}

fn shown_rule(rule: Rule, file: &policy::File, flow: &Flow) -> Option<ShownRule> {
    let policy = &file.policy;
    let described = rule.describe(policy, flow)?;
    let index = match rule {
        Rule::Exemption(index) => Some(index),
        Rule::Pool(_) | Rule::Relay(_) => None,
    };
    let ticket = |exemption: &policy::Exemption| exemption.terms.ticket.as_deref().map(str::to_owned);
    Some(ShownRule {
        kind: described.kind,
        name: described.name.to_owned(),
        id: index.map(|index| policy::exemption_id(&policy.lists, &policy.exemptions, index)),
        ticket: index.and_then(|index| ticket(policy.exemptions.get(index)?)),
        prefix: described.prefix.map(|prefix| prefix.to_string()),
        place: described.at.map(|at| FilePosition {
            file: described.list.map_or(&file.path, |list| &list.path).clone(),
            line: at.line,
            column: at.column,
        }),
    })
}
