//! `op25b sessions` without a kernel: logs as they are read, sent and reported.

use std::fs;

use op25b::{
    api::{ImportedSessions, SessionList},
    session::Session,
};
use serde_json::{Value, json};

use crate::{
    exempt_command::{
        daemon::{Reply, Request, ok, problem},
        scene::Scene,
    },
    json_document::imported_sessions,
};

/// Records of a session that began at 01:00 and ended at 03:00, and of one that has no end, in the time zone of Tokyo.
const DETAIL: &str = "\
Tue Mar 31 01:00:00 2026
\tAcct-Status-Type = Start
\tAcct-Session-Id = \"A1\"
\tUser-Name = \"alice\"
\tFramed-IP-Address = 198.51.100.7
\tEvent-Timestamp = \"Mar 31 2026 01:00:00 JST\"

Tue Mar 31 03:00:00 2026
\tAcct-Status-Type = Stop
\tAcct-Session-Id = \"A1\"
\tUser-Name = \"alice\"
\tFramed-IP-Address = 198.51.100.7
\tAcct-Session-Time = 7200
\tEvent-Timestamp = \"Mar 31 2026 03:00:00 JST\"

Tue Mar 31 03:00:00 2026
\tAcct-Status-Type = Interim-Update
\tAcct-Session-Id = \"A2\"
\tUser-Name = \"bob\"
\tDelegated-IPv6-Prefix = 2001:db8:0:100::/56
\tAcct-Session-Time = 600
\tEvent-Timestamp = \"Mar 31 2026 03:00:00 JST\"

Tue Mar 31 03:00:00 2026
\tAcct-Status-Type = Start
\tAcct-Session-Id = \"A3\"
\tUser-Name = \"carol\"
\tEvent-Timestamp = \"Mar 31 2026 03:00:00 JST\"

";

fn answer(request: &Request) -> Reply {
    if request.line.starts_with("POST /v1/sessions/import?dry_run=true") {
        ok(&ImportedSessions {
            dry_run: true,
            ..imported_sessions()
        })
    } else if request.line.starts_with("POST /v1/sessions/import") {
        ok(&imported_sessions())
    } else {
        let at = |text: &str| text.parse().unwrap();
        ok(&SessionList {
            items: vec![
                Session::ended(
                    "alice",
                    "198.51.100.7/32".parse().unwrap(),
                    at("2026-03-30T16:00:00Z"),
                    at("2026-03-30T18:00:00Z"),
                ),
                Session::open(
                    "=bob\u{1b}[31m",
                    "2001:db8:0:100::/56".parse().unwrap(),
                    at("2026-03-30T17:50:00Z"),
                    at("2026-03-30T18:00:00Z"),
                ),
            ],
            more: true,
        })
    }
}

#[test]
fn a_log_is_sent_as_sessions_and_what_is_conspicuous_is_said() {
    let scene = Scene::new();
    let daemon = scene.daemon(answer);
    let log = scene.file("detail-20260331", DETAIL);
    let imported = scene.op25b(&["sessions", "import", "--time-zone", "Asia/Tokyo", &log]);
    insta::assert_snapshot!("imported", imported.stdout);
    assert_eq!(
        imported.stderr,
        "warning: a record without an address is left out, in line 24\n"
    );
    let requests = daemon.requests();
    assert_eq!(requests[0].line, "POST /v1/sessions/import");
    assert_eq!(
        requests[0].body,
        json!([
            { "customer": "alice", "prefix": "198.51.100.7", "start": "2026-03-30T16:00:00Z", "end": "2026-03-30T18:00:00Z" },
            { "customer": "bob", "prefix": "2001:db8:0:100::/56", "start": "2026-03-30T17:50:00Z", "seen": "2026-03-30T18:00:00Z" },
        ])
    );
    let dry_run = scene.op25b(&[
        "sessions",
        "import",
        "--dry-run",
        "--time-zone",
        "Asia/Tokyo",
        &log,
    ]);
    assert!(
        dry_run
            .stdout
            .starts_with("would add 2 sessions; 1 known ones would be extended"),
        "{dry_run:?}"
    );

    // The zone of this machine is another one.
    let refused = scene.op25b(&["sessions", "import", &log]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("detail-20260331:1: Event-Timestamp: "),
        "{refused:?}"
    );
    assert!(
        refused
            .stderr
            .contains("has 4 mistakes; nothing was imported: `--skip-mistakes` imports the rest"),
        "{refused:?}"
    );
    assert_eq!(daemon.requests().len(), 2);
}

#[test]
fn mistakes_are_reported_with_their_lines_and_skipped_if_that_is_asked_for() {
    let scene = Scene::new();
    let daemon = scene.daemon(answer);
    let log =
        "Login,IP,From,To\nalice,198.51.100.7,2026-03-31T01:00:00Z,\nbob,198.51.100,2026-03-31T01:00:00Z,\n";
    let map = [
        "--map",
        "customer=Login",
        "--map",
        "prefixes=IP",
        "--map",
        "start=From",
        "--map",
        "end=To",
    ];
    let run = |more: &[&str]| {
        let arguments = [
            &["sessions", "import", "--format", "csv", "-"][..],
            &map[..],
            more,
        ]
        .concat();
        scene.op25b_fed(&arguments, log)
    };
    let refused = run(&[]);
    assert_eq!(refused.code, Some(1));
    let lines: Vec<_> = refused.stderr.lines().collect();
    assert!(lines[0].starts_with("stdin:3: "), "{refused:?}");
    assert_eq!(
        lines[1],
        "op25b: stdin has 1 mistake; nothing was imported: `--skip-mistakes` imports the rest"
    );
    let refused = run(&["--json"]).json();
    assert_eq!(
        (&refused["rows"][0]["line"], &refused["status"]),
        (&json!(3), &json!(422))
    );
    assert_eq!(daemon.requests().len(), 0);

    let skipped = run(&["--skip-mistakes", "--as-of", "2026-03-31T09:00:00Z"]);
    assert_eq!(skipped.code, Some(0));
    assert!(
        skipped.stderr.ends_with("warning: 1 mistake skipped\n"),
        "{skipped:?}"
    );
    let sent = &daemon.requests()[0].body;
    assert_eq!(sent.as_array().map(Vec::len), Some(1));
    assert_eq!(sent[0]["seen"], "2026-03-31T09:00:00Z");
    assert_eq!(run(&["--skip-mistakes", "--json"]).json()["mistakes"], 1);
}

#[test]
fn what_cannot_be_imported_is_said_before_anything_is_sent() {
    let scene = Scene::new();
    let log = scene.file("bras.txt", "");
    let failed = |arguments: &[&str]| {
        let arguments = [&["sessions", "import"][..], arguments].concat();
        let answer = scene.op25b(&arguments);
        assert_ne!(answer.code, Some(0), "{answer:?}");
        answer.stderr
    };
    assert!(failed(&[&log]).contains("give `--format csv`, `detail` or `kea`"));
    assert!(failed(&["--format", "kea", "--map", "start=x", &log]).contains("there is no field `start`"));
    assert!(failed(&["--format", "kea", "--as-of", "1h", &log]).contains("`--as-of` is for CSV"));
    assert!(failed(&["--format", "csv", &log]).contains("the file is empty"));
    assert!(failed(&["--time-zone", "Tokyo", &log]).contains("there is no time zone Tokyo"));
    assert!(failed(&["--format", "csv", "/nonexistent"]).contains("cannot read /nonexistent"));
    fs::write(&log, "customer,prefixes,start,end\n").unwrap();
    let answer = scene.op25b(&["sessions", "import", "--format", "csv", &log]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.stderr.contains("no daemon answers"), "{answer:?}");

    let _daemon = scene.daemon(|_| {
        problem(
            422,
            "nothing was imported: some lines are no sessions",
            &[(3, "wrong")],
        )
    });
    let answer = scene.op25b(&["sessions", "import", "--format", "csv", &log]);
    answer.is(
        1,
        "",
        "session 3: wrong\nop25b: nothing was imported: some lines are no sessions\n",
    );
}

#[test]
fn sessions_are_listed_by_time_prefix_and_customer() {
    let scene = Scene::new();
    let daemon = scene.daemon(answer);
    let arguments = [
        "sessions",
        "list",
        "--at",
        "2026-03-31 03:00",
        "--in",
        "198.51.100.7",
        "--customer",
        "a b",
        "--until",
        "2026-03-31",
        "--since",
        "2026-03-01",
        "--top",
        "2",
    ];
    let listed = scene.op25b_in_tokyo(&arguments);
    insta::assert_snapshot!("listed", listed.stdout);
    assert_eq!(
        listed.stderr,
        "these are the first 2 sessions by prefix and start; `--top` lists up to 10000\n"
    );
    assert_eq!(
        daemon.requests()[0].line,
        "GET /v1/sessions?at=2026-03-30T18%3A00%3A00Z&since=2026-02-28T15%3A00%3A00Z&until=2026-03-31T15%3A00%3A00Z\
         &in=198.51.100.7%2F32&customer=a+b&limit=2"
    );
    let sorted = scene.op25b(&["sessions", "list", "--sort", "-start", "--no-header"]);
    assert!(sorted.stdout.starts_with("2001:db8:0:100::/56"), "{sorted:?}");
    let document: Value = scene.op25b(&["sessions", "list", "--json"]).json();
    assert_eq!(document["items"][1]["end"], Value::Null);
    for wrong in [["--at", "2100-01-01"], ["--top", "0"], ["--in", "198.51.100"]] {
        assert_eq!(
            scene.op25b(&["sessions", "list", wrong[0], wrong[1]]).code,
            Some(2),
            "{wrong:?}"
        );
    }
}
