//! docs/json.md has an example of every JSON document, and it is what op25b writes.

pub mod examples;
mod webhook;

use op25b::{
    api::{
        Added, HistoryEntry, HistoryExpiry, Imported, ImportedSessions, Page, Problem, RemovedExemptions,
        SessionList,
    },
    schema::Schema,
    session::Session,
    store::{
        Actor, ChangeKind,
        notices::Notices,
        sessions::{Gap, Overlap, Survey},
    },
};
use serde_json::{Value, json};

use crate::{
    command::op25b_in,
    exempt_command::{
        daemon::{Reply, Request, ok},
        scene::{Scene, exemption, explained},
    },
    json_document::examples::{WRITE, example, write_if_asked},
    report_command::{write_history, write_sessions},
};

const ID: &str = "01KAXQ3T5BH6Z8W2N4R7C9D1EF";

const POLICY: &str = "version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: residential, prefixes: [198.51.100.0/24] }
relays: [{ name: post1, prefixes: [203.0.113.25] }]
exemptions:
  - { customer: 株式会社サンプル, prefixes: [198.51.100.8/29] }
  - { customer: Example KK, prefixes: [198.51.100.16/29, 192.0.2.8/29] }
";

/// The answers of a daemon that are the same each time.
fn answer(request: &Request) -> Reply {
    let one = || exemption(ID, "株式会社サンプル", "198.51.100.8/29");
    let line = &request.line;
    if line.starts_with("GET /v1/exemptions?") {
        ok(&Page {
            items: vec![one()],
            next: None,
        })
    } else if line.starts_with("GET /v1/exemptions/") {
        ok(&one())
    } else if line.starts_with("POST /v1/exemptions/import") {
        ok(&Imported {
            dry_run: true,
            added: 1,
            batch: None,
            unchanged: 0,
            lapsed: 0,
            removed_before: 0,
            removed_before_ids: Vec::new(),
            warnings: vec!["line 2: 198.51.100.8/29 is exempt already, by line 6 of the policy".into()],
            new_generation: false,
        })
    } else if line.starts_with("POST /v1/exemptions/remove") {
        ok(&RemovedExemptions {
            dry_run: request.body["dry_run"] == true,
            removed: 1,
            exemptions: vec![one()],
            verdict: Some(explained("drop", "blocked")),
        })
    } else if line.starts_with("POST /v1/exemptions") {
        ok(&Added {
            exemption: one(),
            verdict: Some(explained("pass", "exempt")),
            warnings: Vec::new(),
        })
    } else if line.contains("/expiries") {
        ok(&Page {
            items: vec![HistoryExpiry {
                at: "2028-04-01T00:00:00Z".parse().unwrap(),
                exemption: one(),
            }],
            next: None,
        })
    } else if line.starts_with("GET /v1/history") {
        ok(&Page {
            items: vec![HistoryEntry {
                revision: 7,
                at: "2027-03-31T00:00:00Z".parse().unwrap(),
                by: Actor {
                    uid: 1000,
                    name: "alice".into(),
                },
                action: ChangeKind::Add,
                reason: None,
                before: None,
                after: one(),
            }],
            next: None,
        })
    } else if line.starts_with("DELETE") {
        let problem = Problem::not_found("there is no exemption 01KAXQ3T");
        Reply::Problem(problem.status, json!(problem))
    } else if line.starts_with("POST /v1/reload") {
        let mut reloaded = reloaded();
        reloaded["impact"] = impact();
        Reply::Json(200, reloaded)
    } else if line.starts_with("POST /v1/confirm") {
        let reloaded = reloaded();
        let confirmed = json!({
            "in_force": reloaded["in_force"], "reload": reloaded["unconfirmed"], "warnings": [],
        });
        Reply::Json(200, confirmed)
    } else if line.starts_with("POST /v1/sessions/import") {
        ok(&imported_sessions())
    } else if line.starts_with("GET /v1/events?") {
        Reply::Json(200, events())
    } else if line.starts_with("GET /v1/alerts?") {
        Reply::Json(200, alerts())
    } else if line.starts_with("GET /v1/sessions") {
        let [start, end] = ["2026-03-30T16:00:00Z", "2026-03-30T20:12:40Z"].map(|at| at.parse().unwrap());
        let prefix = "198.51.100.7/32".parse().unwrap();
        ok(&SessionList {
            items: vec![
                Session::ended("alice", prefix, start, end),
                Session::open("bob", "2001:db8:0:100::/56".parse().unwrap(), start, end),
            ],
            more: false,
        })
    } else if line.starts_with("POST /v1/pause") {
        let pause = json!({
            "pool": null, "except": [], "at": "2027-03-31T00:00:00Z", "until": "2027-03-31T00:30:00Z", "uid": 1000,
            "user": "alice", "reason": "OPS-812",
        });
        Reply::Json(200, json!({ "pauses": [pause], "ended": [], "warnings": [] }))
    } else {
        Reply::HangUp
    }
}

/// The outcome of an import of sessions.
pub fn imported_sessions() -> ImportedSessions {
    let at = |text: &str| format!("2026-03-30T{text}Z").parse().unwrap();
    ImportedSessions {
        dry_run: false,
        added: 2,
        extended: 1,
        unchanged: 0,
        survey: Survey {
            from: Some(at("16:00:00")),
            until: Some(at("21:30:00")),
            sessions: 14,
            customers: 9,
            with_several_prefixes: 4,
            prefixes: 11,
            open: 3,
            overlaps: 1,
            short_overlaps: 2,
            first_overlaps: vec![Overlap {
                prefix: "198.51.100.7/32".parse().unwrap(),
                customers: ["alice".into(), "bob".into()],
                from: at("17:10:31"),
                until: at("17:41:00"),
            }],
            gaps: 2,
            longest_gap: Some(Gap {
                prefix: "198.51.100.9/32".parse().unwrap(),
                from: at("16:20:00"),
                until: at("19:02:11"),
            }),
        },
        warnings: Vec::new(),
    }
}

/// An alert.
fn alerts() -> Value {
    let alert = json!({
        "sequence": 1_796_000_000_123_457_u64, "id": "01KB7Z3N8Q4T6V9W0X1Y2Z3A4B", "time": "2026-11-29T12:31:10.021774Z",
        "subscriber": "198.51.100.20", "pool": "residential", "beyond": ["syns_per_minute"],
        "limits": { "syns_per_minute": 600, "destinations": 100, "exempt_syns_per_minute": 600 }, "blocked_syns": 11_065,
        "monitored_syns": 0, "exempt_syns": 0,
        "destinations": 31, "first_seen": "2026-11-29T12:31:07Z", "last_seen": "2026-11-29T12:31:09Z",
    });
    json!({ "alerts": [alert], "next": 1_796_000_000_123_457_u64, "missed": 0 })
}

/// An event, and what was counted.
fn events() -> Value {
    let event = json!({
        "sequence": 1_796_000_000_123_457_u64, "time": "2026-11-29T12:31:07.104233Z", "interface": "eth1", "role": "subscriber",
        "verdict": "drop", "reason": "blocked", "pool": "residential", "source": "198.51.100.20", "source_port": 40_000,
        "destination": "203.0.113.0/24", "destination_port": 25, "flags": ["syn"], "length": 74, "first": true,
    });
    let counts = json!({ "reason": "blocked", "shown": 8, "sampled_out": 4127, "lost": 0 });
    json!({ "events": [event], "next": 1_796_000_000_123_457_u64, "missed": 0, "counts": [counts] })
}

/// Who becomes blocked or free, as a dry run says it.
fn impact() -> Value {
    let blocked = json!({
        "who": ["198.51.100.77"], "customer": null, "exemption": null, "pool": "residential",
        "last_seen": "2027-03-30T23:11:58Z", "destination": null, "port": 25, "was": "monitored", "becomes": "blocked",
    });
    let free = json!({
        "who": ["198.51.100.8/29"], "customer": "株式会社サンプル", "exemption": "line-7", "pool": "residential",
        "last_seen": null, "destination": null, "port": 25, "was": "blocked", "becomes": "exempt",
    });
    json!({
        "since": "2027-03-30T00:00:00Z",
        "becomes_blocked": [blocked],
        "becomes_free": [free],
        "by_pool": [{ "pool": "residential", "becomes_blocked": 1, "becomes_free": 1 }],
        "examined": 312,
        "pools_not_remembered": [],
    })
}

/// A reload that waits for its confirmation.
pub fn reloaded() -> Value {
    const NEW: &str = "6f470be3912dd106982dd07755e7dc5d772a779e39c59ba6978b13cfe4d32582";
    const OLD: &str = "0d9b7a4f4a1b0f6e2f3e1a8b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d";
    let none = json!({ "total": 0, "items": [] });
    let part = |added: &Value| json!({ "added": added, "removed": none, "changed": none });
    let mut changes = json!({});
    for name in [
        "interfaces",
        "block",
        "subscribers",
        "pools",
        "relays",
        "nat64",
        "privacy",
        "exemptions",
        "exemption_limits",
    ] {
        changes[name] = part(&none);
    }
    let details = json!(["prefixes 198.51.100.8/29", "ticket OPS-1042"]);
    let added = json!({ "total": 1, "items": [{ "name": "株式会社サンプル", "details": details }] });
    changes["exemptions"] = part(&added);
    json!({
        "result": "reloaded",
        "dry_run": false,
        "refused": null,
        "in_force": {
            "file": "/etc/op25b/policy.yaml",
            "sha256": NEW,
            "loaded_at": "2027-03-31T00:00:00Z",
        },
        "file_sha256": NEW,
        "diagnostics": "",
        "warnings": [],
        "changes": changes,
        "unconfirmed": {
            "goes_back_at": "2027-03-31T00:05:00Z",
            "requested_at": "2027-03-31T00:00:00Z",
            "by": "alice",
            "sha256": NEW,
            "previous_sha256": OLD,
        },
    })
}

/// What op25b writes to stdout for these words, in a directory with the policy.
fn written(scene: &Scene, words: &str) -> String {
    let words: Vec<_> = words.split(' ').collect();
    let output = op25b_in(&scene.path(""))
        .args(words)
        .current_dir(scene.path("."))
        .env("TZ", "Asia/Tokyo")
        .env("LANG", "ja_JP.UTF-8")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace(scene.path("").to_str().unwrap(), "/etc/op25b/")
}

#[test]
fn each_example_is_what_op25b_writes() {
    let scene = Scene::new();
    let _daemon = scene.daemon(answer);
    scene.file("policy.yaml", POLICY);
    scene.file(
        "customers.csv",
        "customer,prefixes\n株式会社サンプル,198.51.100.8/29\n",
    );
    write_history(&scene.path("state"));
    write_sessions(&scene.path("state"));
    Notices::open(&scene.path("state")).unwrap();
    scene.file(
        "bras.csv",
        "customer,prefixes,start,end\nalice,198.51.100.7,2026-03-31 01:00:00,2026-03-31 05:12:40\n\
         bob,2001:db8:0:100::/56,2026-03-31 02:10:31,\nbob,,2026-03-31 02:10:31,\n",
    );
    for (schema, words) in [
        (Schema::Check, "check --json policy.yaml"),
        (
            Schema::ExemptChange,
            "exempt add 198.51.100.8/29 --customer 株式会社サンプル --ticket OPS-1042 --json",
        ),
        (Schema::Alerts, "alerts --json"),
        (Schema::Events, "events --json"),
        (Schema::ExemptExport, "exempt export --json"),
        (Schema::ExemptHistory, "exempt history --json"),
        (
            Schema::ExemptImport,
            "exempt import --dry-run customers.csv --json",
        ),
        (Schema::ExemptList, "exempt list --json"),
        (
            Schema::ExemptRemoval,
            "exempt remove --batch 01KAXQ3T --reason moved --json",
        ),
        (Schema::ExemptShow, "exempt show 01KAXQ3T --json"),
        (
            Schema::ExportPrefixes,
            "export prefixes --policy policy.yaml --without-exempt --json",
        ),
        (Schema::Reload, "reload --confirm 5m --json"),
        (
            Schema::Report,
            "report --policy policy.yaml --since 2025-03-01T00:00:00Z --until 2025-03-08T00:00:00Z --src 198.51.100.0/24 --json",
        ),
        (
            Schema::Rollout,
            "rollout --policy policy.yaml --since 2025-03-03T00:00:00Z --until 2025-03-08T00:00:00Z --json",
        ),
        (Schema::Confirm, "confirm --json"),
        (Schema::Pause, "pause --reason OPS-812 --json"),
        (Schema::SessionImport, "sessions import bras.csv --json"),
        (Schema::SessionList, "sessions list --in 198.51.100.7 --json"),
        (Schema::Problem, "exempt remove 01KAXQ3T --reason moved --json"),
    ] {
        let output = written(&scene, words);
        write_if_asked(schema, &output);
        assert!(
            example(schema).as_deref() == Some(output.trim_end()),
            "the example of {schema} in docs/json.md is not what op25b writes; with {WRITE}=1 this test writes it:\n{output}"
        );
    }
}

#[test]
fn every_kind_of_document_has_an_example_that_begins_with_its_schema() {
    for schema in Schema::ALL {
        let text = example(*schema).unwrap_or_else(|| panic!("docs/json.md has no example of {schema}"));
        let first = format!("{{\n  \"schema\": \"{schema}\",\n");
        assert!(text.starts_with(&first), "{schema}: {text}");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{schema}: {error}"));
        assert_eq!(value["schema"], json!(schema.name()));
    }
}

#[test]
fn every_time_in_an_example_is_utc() {
    for schema in Schema::ALL {
        let text = example(*schema).unwrap_or_default();
        for line in text.lines() {
            let value = line
                .split_once("\": \"")
                .map(|(_, value)| value.trim_end_matches([',', '"']));
            let is_time =
                |text: &&str| text.len() > 18 && text.as_bytes()[10] == b'T' && text.starts_with("20");
            if let Some(time) = value.filter(is_time) {
                assert!(time.ends_with('Z'), "{schema}: {line}");
            }
        }
    }
}
