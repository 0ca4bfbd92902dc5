//! Explains a connection through the daemon, which runs the enforced program.

use std::path::PathBuf;

use anyhow::bail;

use super::{Args, ShownDecision, ShownExplanation, ShownRule};
use crate::{
    api::{Explained, Rule, RuleKind},
    cli::daemon::block_on,
    daemon::client::{Client, ClientError},
    enforcer::Connection,
};

/// The explanation of the daemon; `None` if there is no daemon, or none that this user may use.
pub(super) fn explain(args: &Args) -> anyhow::Result<Option<ShownExplanation>> {
    let client = Client::new(&args.paths.runtime_dir);
    let connection = Connection {
        destination: args.dst,
        port: args.port,
        ..Connection::from(args.src)
    };
    let response = block_on(async {
        let explained = client.explain(&connection).await?;
        let status = client.status().await?;
        Ok((explained, status.policy_file.unwrap_or_default()))
    })?;
    match response {
        Ok((explained, policy_file)) => Ok(Some(explanation(explained, policy_file))),
        // A user without access to the daemon may still have access to the kernel.
        Err(error) if has_no_daemon(&error) => Ok(None),
        Err(ClientError::Refused(problem)) => bail!("{}", problem.detail),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is no daemon that can explain. One of an earlier version, without this route, has no stored exemptions.
fn has_no_daemon(error: &ClientError) -> bool {
    error.is_absence() || error.is_forbidden() || matches!(error, ClientError::Unexpected { status: 404, .. })
}

fn explanation(explained: Explained, policy_file: PathBuf) -> ShownExplanation {
    let Explained {
        source,
        destination,
        nat64,
        port,
        verdict,
        reason,
        rule,
        not_in_force,
        more_not_in_force,
        store_error,
    } = explained;
    ShownExplanation {
        source,
        destination,
        nat64,
        port,
        policy_file,
        program: ShownDecision {
            verdict: verdict.into(),
            reason: reason.into(),
            rule: rule.map(shown_rule),
        },
        not_in_force,
        more_not_in_force,
        store_error,
        model: None,
        is_live: true,
    }
}

fn shown_rule(rule: Rule) -> ShownRule {
    ShownRule {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FilePosition;

    fn explained(place: Option<FilePosition>) -> ShownExplanation {
        let explained = Explained {
            source: "198.51.100.10".parse().unwrap(),
            destination: "203.0.113.1".parse().unwrap(),
            nat64: None,
            port: 25,
            verdict: "pass".into(),
            reason: "exempt".into(),
            rule: Some(Rule {
                kind: RuleKind::Exemption,
                name: "Example KK".into(),
                id: Some("01KAXQ3T5BH6Z8W2N4R7C9D1EF".into()),
                ticket: Some("OPS-1042".into()),
                prefix: Some("198.51.100.8/29".into()),
                place,
            }),
            not_in_force: Vec::new(),
            more_not_in_force: 0,
            store_error: None,
        };
        explanation(explained, "/etc/op25b/policy.yaml".into())
    }

    #[test]
    fn a_stored_exemption_is_named_by_its_id_and_one_of_the_file_by_its_place() {
        insta::assert_snapshot!(explained(None).text(), @r"
        198.51.100.10 -> 203.0.113.1 port 25: pass
          reason   exempt
          rule     exemption Example KK (198.51.100.8/29), ticket OPS-1042, 01KAXQ3T5BH6Z8W2N4R7C9D1EF
          from     the enforced program
        ");
        let place = FilePosition {
            file: "/etc/op25b/policy.yaml".into(),
            line: 32,
            column: 5,
        };
        let in_file = explained(Some(place)).text();
        assert!(
            in_file.contains("ticket OPS-1042, /etc/op25b/policy.yaml:32:5\n"),
            "{in_file}"
        );
    }

    #[test]
    fn json_has_the_place_of_what_has_one() {
        let place = FilePosition {
            file: "/etc/op25b/policy.yaml".into(),
            line: 32,
            column: 5,
        };
        let rule = |explanation| serde_json::to_value(&explanation).unwrap()["rule"].clone();
        let in_file: serde_json::Value = rule(explained(Some(place)));
        assert_eq!((&in_file["line"], &in_file["column"]), (&32.into(), &5.into()));
        assert!(rule(explained(None)).get("line").is_none());
    }
}
