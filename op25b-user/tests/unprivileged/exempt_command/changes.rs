//! Adding, extending and removing: the request to the daemon, and the output for its reply.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{Timestamp, ToSpan as _};
use op25b::{
    api::{Added, Extended, Removed, RemovedExemptions, Restored},
    schema::{Document, Schema},
};
use serde_json::json;
use ulid::Ulid;

use crate::exempt_command::{
    daemon::{Reply, ok, problem},
    scene::{Scene, exemption, explained, shown},
};

const ID: &str = "01KAXQ3T5BH6Z8W2N4R7C9D1EF";
const ADD: [&str; 5] = ["exempt", "add", "198.51.100.8/29", "--customer", "Example KK"];

/// What is stored of it.
const RECORD: &str = "  customer      Example KK
  prefixes      198.51.100.8/29
  destinations  everywhere
  ticket        OPS-1042
  added         2027-03-31 00:00:00 +00:00 by alice
  ends          never
  state         active
  from          store
";

fn added() -> Added {
    Added {
        exemption: exemption(ID, "Example KK", "198.51.100.8/29"),
        verdict: Some(explained("pass", "exempt")),
        warnings: vec!["it is already let through by line 12 of the policy".into()],
    }
}

#[test]
fn add_requests_what_was_typed_and_prints_the_id_and_the_verdict() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| ok(&added()));
    let more = [
        "2001:db8:100::/48",
        "--ticket",
        "OPS-1042",
        "--note",
        "new relay",
        "--expires",
        "90d",
        "--dest",
        "192.0.2.25,192.0.2.26",
        "--dest",
        "2001:db8::25",
        "--force",
    ];
    let answer = scene.op25b(&[&ADD[..], &more].concat());
    answer.is(
        0,
        &format!("{ID}\n{RECORD}  198.51.100.8 -> 203.0.113.1 port 25: pass (exempt)\n"),
        "warning: it is already let through by line 12 of the policy\n",
    );
    let requests = daemon.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "POST /v1/exemptions");
    assert_eq!(
        requests[0].body,
        json!({
            "customer": "Example KK",
            "prefixes": ["198.51.100.8/29", "2001:db8:100::/48"],
            "destinations": ["192.0.2.25", "192.0.2.26", "2001:db8::25"],
            "ticket": "OPS-1042",
            "note": "new relay",
            "expires": "90d",
            "force": true,
        })
    );
    assert!(Ulid::from_string(requests[0].key.as_ref().unwrap()).is_ok());

    let answer = scene.op25b(&[&ADD[..], &["--json"]].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let document = Document::new(Schema::ExemptChange, added());
    assert_eq!(answer.json(), serde_json::to_value(document).unwrap());
    // A second request has another key, however much it is the same.
    let requests = daemon.requests();
    assert_ne!(requests[0].key, requests[1].key);
}

#[test]
fn what_the_daemon_refuses_is_printed_and_exits_with_1_and_what_it_cannot_do_with_2() {
    for (status, code) in [(422, 1), (409, 1), (403, 1), (503, 2), (507, 2)] {
        let scene = Scene::new();
        let _daemon = scene.daemon(move |_| problem(status, "`198.51.100.9/29`: no", &[]));
        scene.op25b(&ADD).is(code, "", "op25b: `198.51.100.9/29`: no\n");
        let answer = scene.op25b(&[&ADD[..], &["--json"]].concat());
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(code), ""));
        assert_eq!(answer.json()["detail"], "`198.51.100.9/29`: no");
        assert_eq!(answer.json()["status"], status);
    }
}

#[test]
fn a_broken_connection_is_tried_again_as_the_same_request() {
    let scene = Scene::new();
    let times = AtomicUsize::new(0);
    let daemon = scene.daemon(move |_| match times.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::HangUp,
        _ => ok(&added()),
    });
    assert_eq!(scene.op25b(&ADD).code, Some(0));
    let requests = daemon.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].key.is_some());
    assert_eq!(
        (&requests[0].key, &requests[0].body),
        (&requests[1].key, &requests[1].body)
    );
}

#[test]
fn a_daemon_that_does_not_answer_leaves_it_open_whether_it_was_done() {
    for reply in [|| Reply::HangUp, || Reply::Die] {
        let scene = Scene::new();
        let daemon = scene.daemon(move |_| reply());
        let answer = scene.op25b(&ADD);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
        assert!(
            answer.stderr.starts_with(
                "op25b: it is not known whether the change was made: check `op25b exempt history` and `op25b status`"
            ),
            "{answer:?}"
        );
        assert!((1..=2).contains(&daemon.requests().len()));
    }
}

#[test]
fn without_a_daemon_nothing_is_written_and_how_to_start_one_is_printed() {
    let scene = Scene::new();
    let file = scene.file("x.csv", "customer,prefixes\nA,198.51.100.8/29\n");
    for words in [
        &ADD[..],
        &["exempt", "remove", ID, "--reason", "x"],
        &["exempt", "extend", ID, "--expires", "90d"],
        &["exempt", "restore", ID],
        &["exempt", "import", &file],
    ] {
        let expected = format!(
            "op25b: no daemon answers at {}: nothing was changed; start it with `systemctl start op25b` or `op25b run \
             --policy FILE`\n",
            shown(&scene.path("run/control.sock"))
        );
        scene.op25b(words).is(2, "", &expected);
    }
    assert_eq!(std::fs::read_dir(scene.path("state")).unwrap().count(), 0);
}

#[test]
fn remove_sends_the_reason_and_prints_the_new_verdict() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| {
        ok(&Removed {
            exemption: exemption(ID, "Example KK", "198.51.100.8/29"),
            verdict: Some(explained("drop", "blocked")),
            warnings: Vec::new(),
        })
    });
    let answer = scene.op25b(&["exempt", "remove", ID, "--reason", "contract ended & so"]);
    answer.is(
        0,
        &format!(
            "removed {ID} (Example KK): 198.51.100.8/29\n  198.51.100.8 -> 203.0.113.1 port 25: drop (blocked)\n"
        ),
        "",
    );
    let request = &daemon.requests()[0];
    assert_eq!(
        request.line,
        format!("DELETE /v1/exemptions/{ID}?reason=contract+ended+%26+so")
    );
    assert!(request.key.is_some());
    // The reason is not optional.
    assert_eq!(scene.op25b(&["exempt", "remove", ID]).code, Some(2));
    assert_eq!(daemon.requests().len(), 1);
}

fn removed(count: usize, dry_run: bool, prefixes: &[&str]) -> RemovedExemptions {
    let mut exemption = exemption(ID, "Example KK", "198.51.100.8/29");
    let more = prefixes.iter().map(|net| net.parse().unwrap());
    exemption.terms.prefixes = exemption.terms.prefixes.iter().copied().chain(more).collect();
    RemovedExemptions {
        dry_run,
        removed: count,
        exemptions: vec![exemption],
        verdict: (!dry_run).then(|| explained("drop", "blocked")),
    }
}

const LINE: &str = "  01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK: 198.51.100.8/29, ends never, ticket OPS-1042\n";

#[test]
fn remove_of_an_import_first_asks_what_it_is_and_removes_no_other_number() {
    let scene = Scene::new();
    let daemon = scene.daemon(|request| ok(&removed(3, request.body["dry_run"] == true, &[])));
    let dry = scene.op25b(&["exempt", "remove", "--batch", "01kax", "--dry-run"]);
    dry.is(
        0,
        &format!("would remove 3 exemptions:\n{LINE}  and 2 more\n"),
        "",
    );
    let done = scene.op25b(&["exempt", "remove", "--batch", "01kax", "--reason", "wrong file"]);
    done.is(
        0,
        &format!(
            "removed 3 exemptions:\n{LINE}  and 2 more\n  198.51.100.8 -> 203.0.113.1 port 25: drop (blocked)\n"
        ),
        "",
    );
    let bodies: Vec<_> = daemon
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    let dry = json!({ "batch": "01kax", "dry_run": true });
    let asked = json!({ "batch": "01kax", "reason": "wrong file", "dry_run": true });
    let removal = json!({ "batch": "01kax", "reason": "wrong file", "dry_run": false, "expected": 3 });
    assert_eq!(bodies, [dry, asked, removal]);
    // One of the three, and a reason.
    for words in [
        &["--reason", "x"][..],
        &[ID, "--batch", "01kax", "--reason", "x"],
        &["--batch", "01kax", "--prefix", "198.51.100.8/29", "--reason", "x"],
        &["--batch", "01kax"],
    ] {
        let answer = scene.op25b(&[&["exempt", "remove"][..], words].concat());
        assert_eq!(answer.code, Some(2), "{words:?}");
    }
    assert_eq!(daemon.requests().len(), 3);
}

#[test]
fn remove_of_a_prefix_takes_no_other_prefix_with_it_unless_that_is_confirmed() {
    let scene = Scene::new();
    let daemon = scene.daemon(|request| {
        ok(&removed(
            1,
            request.body["dry_run"] == true,
            &["2001:db8:100::/48"],
        ))
    });
    let remove = [
        "exempt",
        "remove",
        "--prefix",
        "198.51.100.8/29",
        "--reason",
        "cancelled",
    ];
    let answer = scene.op25b(&remove);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""), "{answer:?}");
    assert!(
        answer.stderr.contains("198.51.100.8/29 2001:db8:100::/48") && answer.stderr.contains("`--yes`"),
        "{answer:?}"
    );
    assert_eq!(daemon.requests().len(), 1, "nothing was removed");
    assert_eq!(scene.op25b(&[&remove[..], &["--yes"]].concat()).code, Some(0));
    assert_eq!(daemon.requests().len(), 3);
}

#[test]
fn restore_sends_what_was_typed_and_prints_the_record_and_the_verdict() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| {
        ok(&Restored {
            exemption: exemption(ID, "Example KK", "198.51.100.8/29"),
            verdict: Some(explained("pass", "exempt")),
            warnings: vec!["this exemption never expires".into()],
        })
    });
    let answer = scene.op25b(&[
        "exempt",
        "restore",
        "01kax",
        "--expires",
        "90d",
        "--reason",
        "a slip",
    ]);
    answer.is(
        0,
        &format!("restored {ID}\n{RECORD}  198.51.100.8 -> 203.0.113.1 port 25: pass (exempt)\n"),
        "warning: this exemption never expires\n",
    );
    let request = &daemon.requests()[0];
    assert_eq!(request.line, "POST /v1/exemptions/01kax/restore");
    assert_eq!(
        request.body,
        json!({ "expires": "90d", "reason": "a slip", "force": false })
    );
    assert!(request.key.is_some());
}

#[test]
fn a_change_without_a_verdict_is_done_and_warned_of() {
    let scene = Scene::new();
    let why = "the change is stored and enforced; the verdict of the kernel cannot be shown: no memory";
    let _daemon = scene.daemon(move |_| {
        ok(&Added {
            exemption: exemption(ID, "Example KK", "198.51.100.8/29"),
            verdict: None,
            warnings: vec![why.to_owned()],
        })
    });
    let expected = format!("warning: {why}\n");
    scene.op25b(&ADD).is(0, &format!("{ID}\n{RECORD}"), &expected);
}

#[test]
fn extend_prints_the_whole_exemption_with_its_new_end() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| {
        let mut exemption = exemption(ID, "Example KK", "198.51.100.8/29");
        exemption.terms.expires_at = Some("2106-01-01T00:00:00Z".parse().unwrap());
        ok(&Extended {
            exemption,
            verdict: Some(explained("pass", "exempt")),
            warnings: Vec::new(),
        })
    });
    let answer = scene.op25b(&[
        "exempt",
        "extend",
        ID,
        "--expires",
        "2105-12-31",
        "--reason",
        "renewed",
    ]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let (before, after) = RECORD.split_once("never").unwrap();
    assert!(
        answer
            .stdout
            .starts_with(&format!("{ID}\n{before}2105-12-31 (in "))
            && answer.stdout.ends_with(&format!(
                "{after}  198.51.100.8 -> 203.0.113.1 port 25: pass (exempt)\n"
            )),
        "{answer:?}"
    );
    let request = &daemon.requests()[0];
    assert_eq!(request.line, format!("PATCH /v1/exemptions/{ID}"));
    assert_eq!(
        request.body,
        json!({ "expires": "2106-01-01T00:00:00Z", "reason": "renewed" })
    );
    assert!(request.key.is_some());
}

#[test]
fn an_end_is_meant_and_shown_in_the_time_zone_of_who_asks() {
    let scene = Scene::new();
    let end = Timestamp::now().checked_add(6.minutes()).unwrap();
    let warnings = [
        "this exemption ends in 6 minutes",
        "6m is 6 minutes: for 6 months write 6mo",
    ];
    let daemon = scene.daemon(move |_| {
        let mut added = added();
        added.exemption.terms.expires_at = Some(end);
        added.warnings = warnings.map(str::to_owned).into();
        ok(&added)
    });
    let local = end.to_zoned_datetime(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let shown = local
        .strftime("  ends          %Y-%m-%d %H:%M:%S +09:00 (in ")
        .to_string();
    for (expires, sent) in [
        ("6m", "6m"),
        ("2100-03-31", "2100-03-31T15:00:00Z"),
        ("2100/3/31 18:00", "2100-03-31T09:00:00Z"),
        ("soon", "soon"),
    ] {
        let answer = scene.op25b_in_tokyo(&[&ADD[..], &["--expires", expires]].concat());
        assert!(answer.stdout.contains(&shown), "{answer:?}");
        assert_eq!(
            answer.stderr,
            warnings.map(|it| format!("warning: {it}\n")).concat()
        );
        assert_eq!(daemon.requests().last().unwrap().body["expires"], sent);
    }
    let answer = scene.op25b_in_tokyo(&[&ADD[..], &["--json"]].concat());
    assert_eq!(answer.json()["warnings"], json!(warnings));
    // Programs get UTC.
    let ends = answer.json()["exemption"]["expires_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(ends.ends_with('Z'), "{ends}");
    assert_eq!(ends.parse::<Timestamp>().unwrap(), end);
}
