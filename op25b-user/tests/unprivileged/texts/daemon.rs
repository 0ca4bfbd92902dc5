//! The answers of a daemon with customers in Japanese, which are the same each time.

use op25b::{
    api::{
        Added, Exemption, Extended, FilePosition, HistoryEntry, HistoryExpiry, Imported, Origin, Page,
        Problem, Removed, Restored,
    },
    exemption::Terms,
    store::{Actor, ChangeKind, State},
};
use serde_json::{Value, json};

use crate::{
    exempt_command::{
        daemon::{Reply, Request, ok},
        scene::{exemption, explained},
    },
    json_document::reloaded,
};

pub const ID: &str = "01KAXQ3T5BH6Z8W2N4R7C9D1EF";

/// The answer to a request.
pub fn answer(request: &Request) -> Reply {
    let line = &request.line;
    let [first, ..] = &exemptions()[..] else {
        return Reply::HangUp;
    };
    let first = || first.clone();
    let verdict = || Some(explained("pass", "exempt"));
    let warnings = || vec!["198.51.100.8/29 は既に line-6 で免除されています".to_owned()];
    if line.starts_with("GET /v1/exemptions?") {
        ok(&Page {
            items: exemptions(),
            next: None,
        })
    } else if line.starts_with("GET /v1/exemptions/") {
        ok(&first())
    } else if line.starts_with("POST /v1/exemptions/import") {
        ok(&Imported {
            dry_run: request.body["dry_run"].as_bool().unwrap_or_default(),
            added: 12,
            batch: (request.body["dry_run"] == false).then(|| "01KAXQ3T000000000000000000".to_owned()),
            unchanged: 3,
            lapsed: 1,
            removed_before: 7,
            removed_before_ids: (1..=7)
                .map(|number| format!("01KAXQ3T5BH6Z8W2N4R7C9D1E{number}"))
                .collect(),
            warnings: warnings(),
            new_generation: false,
        })
    } else if line.starts_with("POST /v1/exemptions/") {
        ok(&Restored {
            exemption: first(),
            verdict: verdict(),
            warnings: Vec::new(),
        })
    } else if line.starts_with("POST /v1/exemptions") {
        ok(&Added {
            exemption: first(),
            verdict: verdict(),
            warnings: warnings(),
        })
    } else if line.starts_with("PATCH") {
        ok(&Extended {
            exemption: first(),
            verdict: verdict(),
            warnings: Vec::new(),
        })
    } else if line.starts_with("DELETE") && line.contains(ID) {
        ok(&Removed {
            exemption: Exemption {
                state: State::Removed,
                ..first()
            },
            verdict: Some(explained("drop", "blocked")),
            warnings: Vec::new(),
        })
    } else if line.starts_with("DELETE") {
        let problem = Problem::not_found("there is no exemption 株式会社サンプル");
        Reply::Problem(problem.status, json!(problem))
    } else if line.contains("/expiries") {
        ok(&Page {
            items: vec![HistoryExpiry {
                at: "2027-04-01T00:00:00Z".parse().unwrap(),
                exemption: first(),
            }],
            next: None,
        })
    } else if line.starts_with("GET /v1/history") {
        ok(&Page {
            items: history(),
            next: None,
        })
    } else if line.starts_with("POST /v1/reload") {
        let mut reload = reloaded();
        if line.contains("dry_run=true") {
            reload["dry_run"] = true.into();
            reload["result"] = "would_reload".into();
            reload["unconfirmed"] = json!(null);
        } else if !line.contains("confirm_within") {
            reload["result"] = "refused".into();
            reload["refused"] = "/etc/op25b/policy.yaml: the policy has errors; nothing was changed".into();
            reload["unconfirmed"] = json!(null);
        }
        Reply::Json(200, reload)
    } else if line.starts_with("POST /v1/pause") {
        Reply::Json(200, json!({ "pauses": [pause()], "ended": [], "warnings": [] }))
    } else if line.starts_with("POST /v1/resume") {
        Reply::Json(200, json!({ "pauses": [], "ended": [pause()], "warnings": [] }))
    } else if line.starts_with("POST /v1/confirm") {
        let reload = reloaded();
        let confirmed =
            json!({ "in_force": reload["in_force"], "reload": reload["unconfirmed"], "warnings": [] });
        Reply::Json(200, confirmed)
    } else {
        Reply::HangUp
    }
}

fn pause() -> Value {
    json!({
        "pool": "家庭用", "at": "2027-03-31T00:00:00Z", "until": "2099-03-31T00:30:00Z", "uid": 1000, "user": "花子",
        "reason": "OPS-812: メールが届かない",
    })
}

fn alice() -> Actor {
    Actor {
        uid: 1000,
        name: "alice".into(),
    }
}

/// Exemptions of the store and of the policy file, with names in several widths.
pub fn exemptions() -> Vec<Exemption> {
    let stored = |id: &str, customer: &str, nets: &[&str]| Exemption {
        terms: Terms::new(
            customer,
            nets.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>(),
        ),
        ..exemption(id, customer, nets[0])
    };
    let mut sample = stored(
        ID,
        "株式会社サンプル",
        &["198.51.100.8/29", "2001:db8:100:8::/64"],
    );
    sample.terms.ticket = Some("OPS-1042".into());
    sample.terms.note = Some("移転が終わるまで".into());
    sample.terms.expires_at = Some("2099-03-31T15:00:00Z".parse().unwrap());
    let mut narrow = stored(
        "01KAXQ3T5BH6Z8W2N4R7C9D1EG",
        "ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ",
        &["198.51.100.16/29"],
    );
    narrow.terms.ticket = Some("変更-77".into());
    narrow.terms.destinations = Box::new(["192.0.2.25/32".parse().unwrap()]);
    let wide = Exemption {
        origin: Origin::Policy,
        place: Some(FilePosition {
            file: "/etc/op25b/policy.yaml".into(),
            line: 32,
            column: 5,
        }),
        created_at: None,
        created_by: None,
        ..stored(
            "line-32",
            "Ｅｘａｍｐｌｅ（株）　東京支店",
            &[
                "198.51.100.64/28",
                "198.51.100.80/28",
                "198.51.100.96/28",
                "198.51.100.112/28",
                "198.51.100.128/28",
            ],
        )
    };
    vec![sample, narrow, wide]
}

fn history() -> Vec<HistoryEntry> {
    let [sample, narrow, ..] = <[Exemption; 3]>::try_from(exemptions()).unwrap();
    let entry = |revision, action, before: Option<&Exemption>, after: &Exemption, reason: Option<&str>| {
        HistoryEntry {
            revision,
            at: "2027-03-31T00:00:00Z".parse().unwrap(),
            by: alice(),
            action,
            reason: reason.map(str::to_owned),
            before: before.cloned(),
            after: after.clone(),
        }
    };
    let mut longer = sample.clone();
    longer.terms.expires_at = None;
    vec![
        entry(1, ChangeKind::Add, None, &sample, None),
        entry(2, ChangeKind::Extend, Some(&sample), &longer, Some("契約更新")),
        entry(3, ChangeKind::Remove, Some(&narrow), &narrow, Some("解約のため")),
    ]
}
