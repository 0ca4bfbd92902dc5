//! `op25b explain`: show the verdict of the program on one connection.
//!
//! A daemon runs the enforced program. Without one, another instance of the program is loaded and compared
//! with the reference.

mod live;

use std::{
    borrow::Cow,
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};
use op25b_common::Reason;
use serde::Serialize;

use super::{EXIT_NO, daemon::block_on, json, paths::Paths, policy_file, stderr};
use crate::{
    api::{FilePosition, NotInForce},
    counted::counted,
    datapath::{
        Decision, Description, TestRunner,
        discover::{self, Found},
        probe, requirements,
    },
    enforcer,
    policy::{self, Flow, Rule, characters::printable, reference},
    schema::Schema,
    store::{Records as _, State, sqlite},
};

/// Show the verdict on a connection, and the rule that decides.
///
/// The verdict is that of the XDP program, which runs on a TCP SYN made for the query (`BPF_PROG_TEST_RUN`).
/// If a daemon runs, it is the enforced program, which includes the stored exemptions. Otherwise, and with
/// `--policy`, another instance of the program is loaded, attached to nothing, and its decision is compared
/// with that of the reference, a model of the policy file in user space.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b explain --src 198.51.100.10                       with the policy that is enforced here
  op25b explain --src 2001:db8:100::1 --dst 2001:db8::25 --policy policy.yaml
  op25b explain --src 198.51.100.10 --json | jq -r .reason

Requires root or membership in the group op25b if a daemon runs; without one root; with `--policy` root, \
or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.
Exit codes: 0 answered, whatever the verdict; 1 the program and the reference disagree (please report \
that); 2 failed.")]
pub struct Args {
    /// The subscriber's address.
    #[arg(long, value_name = "IP")]
    src: IpAddr,
    /// The server's address. The default is a sample address that no relay and no exemption names.
    #[arg(long, value_name = "IP")]
    dst: Option<IpAddr>,
    /// The server's TCP port.
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Use this policy file instead of the policy that is enforced in this network namespace.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// The explanation, as `--json` writes it.
#[derive(Debug, Serialize)]
struct ShownExplanation {
    source: IpAddr,
    destination: IpAddr,
    /// The IPv4 address that the destination is translated to.
    #[serde(skip_serializing_if = "Option::is_none")]
    nat64: Option<Ipv4Addr>,
    port: u16,
    policy_file: PathBuf,
    #[serde(flatten)]
    program: ShownDecision,
    /// The exemptions of the source that do not let the connection pass, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_in_force: Vec<NotInForce>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    more_not_in_force: usize,
    /// Why stored ones are missing among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_error: Option<String>,
    /// The reference's decision, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ShownDecision>,
    /// Whether it is the decision of the enforced program, which is not compared with the reference.
    #[serde(skip)]
    is_live: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The decision of the program or of the reference.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShownDecision {
    verdict: Cow<'static, str>,
    reason: Cow<'static, str>,
    rule: Option<ShownRule>,
}

/// The rule that decided.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShownRule {
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    prefix: Option<String>,
    /// Its position in the policy file or in a list; `None` if it is stored.
    #[serde(flatten)]
    place: Option<FilePosition>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let live = match args.policy {
        None => live::explain(args)?,
        Some(_) => None,
    };
    let explanation = if let Some(explanation) = live {
        explanation
    } else {
        let explanation = run_second_instance(args)?;
        if args.policy.is_none() {
            warn_of_stored_exemptions(&args.paths.state_dir);
        }
        explanation
    };
    let mut stdout = anstream::stdout().lock();
    if args.json {
        json::print(Schema::Explain, &explanation)?;
    } else {
        write!(stdout, "{}", explanation.text())?;
    }
    Ok(if explanation.model.is_some() {
        EXIT_NO.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// The kernel enforces stored exemptions also while no daemon runs, and the policy file does not contain them.
fn warn_of_stored_exemptions(state_dir: &Path) {
    let now = Timestamp::now();
    let records = match sqlite::open_read_only(state_dir) {
        Ok(None) => return,
        Ok(Some(store)) => store.not_removed(),
        Err(error) => Err(error),
    };
    let what = match records {
        Ok(records) => {
            let active = records.iter().filter(|record| record.state(now) == State::Active);
            match active.count() {
                0 => return,
                1 => "one stored exemption is not taken into account".to_owned(),
                many => format!("{many} stored exemptions are not taken into account"),
            }
        }
        Err(error) => format!("stored exemptions are not taken into account: {error}"),
    };
    stderr::line(format_args!("op25b: no daemon is running: {what}"));
}

/// Explains with an instance of the program that is loaded for this, and compares with the reference.
fn run_second_instance(args: &Args) -> anyhow::Result<ShownExplanation> {
    requirements::check()?;
    let file = policy(args)?;
    let flow = Flow {
        source: args.src,
        destination: match args.dst {
            Some(destination) => file.policy.nat64.reached_from(args.src, destination),
            None => policy::sample_destination(&file.policy, args.src, |_| false)
                .context("the policy names every sample destination: give `--dst IP`")?,
        },
        destination_port: args.port,
    };
    let (program, model) = decide(&file, &flow)?;
    let program = ShownDecision::new(program, &file, &flow);
    let model = ShownDecision::new(model, &file, &flow);
    let differ = program != model;
    Ok(ShownExplanation {
        source: flow.source,
        destination: flow.destination,
        nat64: file.policy.nat64.extract(flow.destination),
        port: flow.destination_port,
        policy_file: file.path,
        program,
        not_in_force: Vec::new(),
        more_not_in_force: 0,
        store_error: None,
        model: differ.then_some(model),
        is_live: false,
    })
}

/// The policy to explain.
fn policy(args: &Args) -> anyhow::Result<policy::File> {
    if let Some(path) = &args.policy {
        return policy_file::read(path);
    }
    let description = enforced()?;
    let path = &description.policy_file;
    let mut file = policy_file::read(path).with_context(|| {
        format!(
            "cannot explain what is enforced here since {}; `--policy FILE` explains another file",
            description.loaded_at
        )
    })?;
    ensure!(
        file.sha256 == description.policy_sha256,
        "{path}{or_a_list} has been changed since it was loaded at {}: `op25b reload` enforces it, \
         or explain the file as it is now with `--policy {path}`",
        description.loaded_at,
        path = path.display(),
        or_a_list = if file.lists.is_empty() {
            ""
        } else {
            " or a list that it names"
        },
    );
    file.hold(&description.reached)?;
    Ok(file)
}

/// The description of the filter in this network namespace.
fn enforced() -> anyhow::Result<Description> {
    let Found {
        mut filters,
        unreadable,
    } = block_on(discover::find())??;
    if let ([], Some(unreadable)) = (&filters[..], unreadable.first()) {
        bail!(
            "the filter that runs here was loaded by another version of op25b, {}; give `--policy FILE`",
            unreadable.why
        );
    }
    let Some(filter) = filters.pop() else {
        bail!("no op25b filter is running on the interfaces of this network namespace; give `--policy FILE`");
    };
    if !filters.is_empty() || !unreadable.is_empty() {
        bail!("several op25b filters are running here (`op25b status` lists them); give `--policy FILE`");
    }
    Ok(filter.description)
}

/// The program's decision and the reference's.
fn decide(file: &policy::File, flow: &Flow) -> anyhow::Result<(reference::Expected, reference::Expected)> {
    let frame = probe::syn(flow.source, flow.destination, flow.destination_port)?;
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

impl ShownDecision {
    fn new(decision: reference::Expected, file: &policy::File, flow: &Flow) -> Self {
        Self {
            verdict: decision.verdict.name().into(),
            reason: decision.reason.name().into(),
            rule: decision.rule.and_then(|rule| ShownRule::new(rule, file, flow)),
        }
    }
}

impl ShownRule {
    fn new(rule: Rule, file: &policy::File, flow: &Flow) -> Option<Self> {
        let policy = &file.policy;
        let described = rule.describe(policy, flow)?;
        let index = match rule {
            Rule::Exemption(index) => Some(index),
            Rule::Pool(_) | Rule::Relay(_) => None,
        };
        let ticket = |exemption: &policy::Exemption| exemption.terms.ticket.as_deref().map(str::to_owned);
        Some(Self {
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

impl ShownExplanation {
    /// What exemptions of the source there are besides.
    fn notes(&self) -> Vec<String> {
        let (now, zone) = (Timestamp::now(), TimeZone::system());
        let named = self.not_in_force.iter();
        let mut notes: Vec<String> = named
            .map(|exemption| exemption.text(self.destination, now, &zone))
            .collect();
        if self.more_not_in_force > 0 {
            let more = counted(self.more_not_in_force, "more exemption");
            notes.push(format!("{more} of this source not in force"));
        }
        if let Some(why) = &self.store_error {
            notes.push(format!("stored exemptions are not known: {why}"));
        }
        notes
    }

    fn text(&self) -> String {
        let translated = self
            .nat64
            .map_or(String::new(), |address| format!(" ({address})"));
        let mut text = format!(
            "{} -> {}{translated} port {}: {}\n  reason   {}\n",
            self.source, self.destination, self.port, self.program.verdict, self.program.reason
        );
        if let Some(rule) = &self.program.rule {
            text.push_str("  rule     ");
            text.push_str(&rule.text());
            text.push('\n');
        }
        for note in self.notes() {
            text.push_str("  note     ");
            text.push_str(&note);
            text.push('\n');
        }
        match &self.model {
            None if self.is_live => text += "  from     the enforced program\n",
            None => text += "  from     another instance of the program; the reference agrees\n",
            Some(model) => {
                let rule = model.rule.as_ref().map_or("no rule".into(), ShownRule::text);
                text.push_str("  WRONG    the reference decides ");
                text.push_str(&[&model.verdict, &model.reason, rule.as_str()].join(", "));
                text.push_str(": this is a fault in op25b\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::Verdict;

    use super::*;

    #[test]
    fn the_text_reports_a_difference() {
        let decision = |verdict: Verdict, reason: Reason| ShownDecision {
            verdict: verdict.name().into(),
            reason: reason.name().into(),
            rule: None,
        };
        let explanation = ShownExplanation {
            source: Ipv4Addr::new(198, 51, 100, 10).into(),
            destination: Ipv4Addr::new(203, 0, 113, 1).into(),
            nat64: None,
            port: 25,
            policy_file: "/etc/op25b/policy.yaml".into(),
            program: decision(Verdict::Drop, Reason::Blocked),
            not_in_force: Vec::new(),
            more_not_in_force: 0,
            store_error: None,
            model: Some(decision(Verdict::Pass, Reason::NotPooled)),
            is_live: false,
        };
        assert!(
            explanation
                .text()
                .contains("WRONG    the reference decides pass, not_pooled"),
            "{}",
            explanation.text()
        );
    }
}
