//! Listing and showing: through the daemon, and from the disk without one.

use op25b::{
    api::{Exemption, FilePosition, HistoryEntry, HistoryExpiry, Page},
    report::Status,
    store::{Actor, ChangeKind},
};
use serde_json::{Value, json};
use ulid::Ulid;

use crate::exempt_command::{
    daemon::{Reply, ok, problem},
    scene::{Scene, exemption, explained, record, shown},
};

fn ids(list: &Value) -> Vec<&str> {
    let exemptions = list["exemptions"].as_array().unwrap();
    exemptions
        .iter()
        .map(|exemption| exemption["id"].as_str().unwrap())
        .collect()
}

#[test]
fn list_goes_through_all_pages_with_the_filters() {
    let scene = Scene::new();
    let daemon = scene.daemon(|request| {
        let (id, next) = if request.line.contains("after=s2") {
            ("s3", None)
        } else if request.line.contains("after=s1") {
            ("s2", Some("s2"))
        } else {
            ("s1", Some("s1"))
        };
        ok(&Page {
            items: vec![exemption(id, "A & B", "198.51.100.8/29")],
            next: next.map(str::to_owned),
        })
    });
    let words = [
        "exempt",
        "list",
        "--customer",
        "A & B",
        "--ticket",
        "OPS-1",
        "--note",
        "relay",
        "--expiring",
        "14d",
        "--in",
        "198.51.100.10",
        "--all",
    ];
    let answer = scene.op25b(&words);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let rows: Vec<Vec<&str>> = answer
        .stdout
        .lines()
        .map(|line| {
            line.split("  ")
                .filter(|cell| !cell.is_empty())
                .map(str::trim)
                .collect()
        })
        .collect();
    assert_eq!(rows[0], ["ID", "CUSTOMER", "PREFIXES", "ENDS", "TICKET", "FROM"]);
    assert_eq!(
        rows[3],
        ["s3", "A & B", "198.51.100.8/29", "never", "OPS-1042", "store"]
    );
    assert_eq!(rows.len(), 4);
    let first = "GET /v1/exemptions?customer=A+%26+B&ticket=OPS-1&note=relay&expiring=14d&in=198.51.100.10%2F32&all=true";
    let requests: Vec<_> = daemon
        .requests()
        .into_iter()
        .map(|request| request.line)
        .collect();
    assert_eq!(
        requests,
        [
            format!("{first}&limit=1000"),
            format!("{first}&after=s1&limit=1000"),
            format!("{first}&after=s2&limit=1000"),
        ]
    );
    let list = scene.op25b(&["exempt", "list", "--json"]).json();
    assert_eq!(ids(&list), ["s1", "s2", "s3"]);
    assert_eq!(list["left_out"], json!([]));
}

#[test]
fn a_list_of_nothing_is_no_error() {
    let scene = Scene::new();
    let _daemon = scene.daemon(|_| {
        ok(&Page::<Exemption> {
            items: Vec::new(),
            next: None,
        })
    });
    scene
        .op25b(&["exempt", "list"])
        .is(0, "", "there are no such exemptions\n");
    assert_eq!(ids(&scene.op25b(&["exempt", "list", "--json"]).json()), [""; 0]);
}

#[test]
fn an_invalid_filter_is_refused_before_the_daemon_gets_a_request() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| Reply::HangUp);
    for wrong in [["--expiring", "soon"], ["--in", "home"], ["--expiring", "14"]] {
        let answer = scene.op25b(&[&["exempt", "list"][..], &wrong].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    }
    assert!(daemon.requests().is_empty());
}

#[test]
fn show_asks_for_any_id_whatever_is_in_it() {
    let scene = Scene::new();
    let daemon = scene.daemon(|request| {
        if request.line.contains("nobody") {
            return problem(404, "there is no exemption nobody", &[]);
        }
        let mut exemption = exemption("a/b ?", "Example KK", "198.51.100.8/29");
        exemption.place = Some(FilePosition {
            file: "/etc/op25b/policy.yaml".into(),
            line: 32,
            column: 5,
        });
        ok(&exemption)
    });
    let answer = scene.op25b(&["exempt", "show", "a/b ?"]);
    assert_eq!(answer.code, Some(0));
    assert!(
        answer
            .stdout
            .starts_with("exemption a/b ?\n  customer      Example KK\n"),
        "{answer:?}"
    );
    assert!(
        answer.stdout.contains("/etc/op25b/policy.yaml:32:5\n"),
        "{answer:?}"
    );
    assert_eq!(daemon.requests()[0].line, "GET /v1/exemptions/a%2Fb%20%3F");
    scene
        .op25b(&["exempt", "show", "nobody"])
        .is(1, "", "op25b: there is no exemption nobody\n");
}

#[test]
fn history_is_a_line_for_each_change() {
    let scene = Scene::new();
    let entry = |revision: u64| HistoryEntry {
        revision,
        at: "2027-03-31T00:00:00Z".parse().unwrap(),
        by: Actor {
            uid: 1000,
            name: "alice".into(),
        },
        action: ChangeKind::Add,
        reason: None,
        before: None,
        after: exemption("x", "Example KK", "198.51.100.8/29"),
    };
    let daemon = scene.daemon(move |request| {
        let last = request.line.contains("after=1");
        if request.line.contains("/expiries") {
            return ok(&Page {
                items: vec![HistoryExpiry {
                    at: "2027-03-31T00:00:01Z".parse().unwrap(),
                    exemption: exemption("x", "Example KK", "198.51.100.8/29"),
                }],
                next: None,
            });
        }
        ok(&Page {
            items: vec![entry(if last { 2 } else { 1 })],
            next: (!last).then(|| "1".to_owned()),
        })
    });
    let line = "2027-03-31 00:00:00 +00:00  alice  added  x  Example KK: 198.51.100.8/29, ends never, ticket OPS-1042\n";
    let ended = "2027-03-31 00:00:01 +00:00  op25b  ended  x  Example KK: 198.51.100.8/29, ticket OPS-1042\n";
    scene
        .op25b(&["exempt", "history"])
        .is(0, &(line.repeat(2) + ended), "");
    let one = scene.op25b(&["exempt", "history", "x", "--json"]).json();
    assert_eq!(one["history"][1]["revision"], 2);
    assert_eq!(one["expiries"][0]["at"], "2027-03-31T00:00:01Z");
    let some = [
        "exempt",
        "history",
        "--since",
        "2020-03-30T00:00:00Z",
        "--until",
        "2020-03-31",
        "--customer",
        "例",
        "--batch",
        "01KAXQ3T",
    ];
    assert_eq!(scene.op25b(&some).code, Some(0));
    let requests: Vec<_> = daemon
        .requests()
        .into_iter()
        .map(|request| request.line)
        .collect();
    assert_eq!(requests[0], "GET /v1/history?limit=1000");
    assert_eq!(requests[3], "GET /v1/exemptions/x/history?limit=1000");
    assert_eq!(requests[4], "GET /v1/exemptions/x/history/expiries?limit=1000");
    assert_eq!(requests[5], "GET /v1/exemptions/x/history?after=1&limit=1000");
    let filters =
        "since=2020-03-30T00%3A00%3A00Z&until=2020-04-01T00%3A00%3A00Z&customer=%E4%BE%8B&batch=01KAXQ3T";
    assert_eq!(requests[6], format!("GET /v1/history?{filters}&limit=1000"));
    assert_eq!(
        requests[7],
        format!("GET /v1/history/expiries?{filters}&limit=1000")
    );
}

#[test]
fn a_daemon_of_an_earlier_version_knows_no_expiries_which_is_said() {
    let scene = Scene::new();
    let _daemon = scene.daemon(|request| {
        if request.line.contains("/expiries") {
            return problem(404, "there is no such path", &[]);
        }
        ok(&Page::<HistoryEntry> {
            items: Vec::new(),
            next: None,
        })
    });
    scene.op25b(&["exempt", "history"]).is(
        0,
        "",
        "warning: which exemptions ended is left out: the daemon is of an earlier version\nthere are no such changes\n",
    );
}

#[test]
fn without_a_daemon_the_history_has_the_ends_of_exemptions_in_between() {
    let scene = Scene::new();
    let mut ended = record(1, "株式会社サンプル", "198.51.100.8/29");
    ended.terms.expires_at = Some("2020-04-01T00:00:00Z".parse().unwrap());
    scene.store(&[ended, record(2, "Other", "198.51.100.16/29")]);
    let first = Ulid::from(1).to_string();
    let history = |words: &[&str]| {
        let answer = scene.op25b(&[&["exempt", "history"], words].concat());
        assert_eq!(answer.code, Some(0), "{answer:?}");
        answer.stdout
    };
    let line = format!(
        "2020-04-01 00:00:00 +00:00  op25b  ended  {first}  株式会社サンプル: 198.51.100.8/29, ticket OPS-1042\n"
    );
    let all = history(&[]);
    assert!(all.starts_with(&line), "{all}");
    assert_eq!(all.lines().count(), 3, "{all}");
    assert_eq!(history(&["--until", "2020-03-31"]), "");
    assert_eq!(history(&["--until", "2020-04-01"]), line);
    let later = history(&["--since", "2020-04-02", "--customer", "サンプル"]);
    assert_eq!(later.lines().count(), 1, "{later}");
    assert!(later.contains("  alice  added  "), "{later}");
    assert_eq!(history(&["--customer", "nobody"]), "");
    let unknown = scene.op25b(&["exempt", "history", "--batch", "01KAXQ3T"]);
    assert_eq!(
        (unknown.code, unknown.stdout.as_str()),
        (Some(2), ""),
        "{unknown:?}"
    );
}

#[test]
fn without_a_daemon_the_disk_is_read_and_the_output_notes_it() {
    let scene = Scene::new();
    let nothing = scene.op25b(&["exempt", "list"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""));
    assert!(
        nothing
            .stderr
            .starts_with("op25b: no daemon runs; this is read from the disk\n"),
        "{nothing:?}"
    );

    scene.store(&[
        record(1, "First", "198.51.100.8/29"),
        record(2, "Second", "2001:db8:100::/48"),
    ]);
    scene.remove(Ulid::from(2), "moved away");
    let [first, second] = [1, 2].map(|id| Ulid::from(id).to_string());
    let [first, second] = [first.as_str(), second.as_str()];
    let list = |more: &[&str]| {
        let answer = scene.op25b(&[&["exempt", "list", "--json"], more].concat());
        assert_eq!(answer.code, Some(0), "{answer:?}");
        assert!(answer.stderr.contains("no daemon runs"), "{answer:?}");
        let list = answer.json();
        ids(&list).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]), [first]);
    assert_eq!(list(&["--all"]), [first, second]);
    assert_eq!(list(&["--in", "198.51.100.10"]), [first]);
    assert_eq!(list(&["--customer", "Second", "--all"]), [second]);
    assert_eq!(list(&["--expiring", "14d"]), [""; 0]);

    let shown = scene.op25b(&["exempt", "show", second]);
    assert_eq!(shown.code, Some(0));
    assert!(shown.stdout.contains("  state         removed\n"), "{shown:?}");
    assert!(shown.stdout.contains(" by alice\n"), "{shown:?}");
    let unknown = scene.op25b(&["exempt", "show", "line-5"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(
        unknown.stderr.ends_with("op25b: there is no exemption line-5\n"),
        "{unknown:?}"
    );

    let history = scene.op25b(&["exempt", "history"]).stdout;
    let words: Vec<_> = history
        .lines()
        .map(|line| line.split("  ").skip(1).take(3).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        words,
        [
            ["alice", "added", first],
            ["alice", "added", second],
            ["alice", "removed", second]
        ]
    );
    assert!(history.ends_with("; reason: moved away\n"), "{history}");
    let one = scene.op25b(&["exempt", "history", first]).stdout;
    assert_eq!(one.lines().count(), 1);
}

#[test]
fn a_part_of_a_customer_in_any_form_and_of_a_ticket_finds_exemptions() {
    let scene = Scene::new();
    scene.store(&[
        record(1, "㈱さくらメール", "198.51.100.8/29"),
        record(2, "ＥＸＡＭＰＬＥ　KK", "198.51.100.16/29"),
        record(3, "Other GmbH", "198.51.100.24/29"),
    ]);
    for (words, found) in [
        (&["--customer", "（株）さくら"][..], &[1][..]),
        (&["--customer", "(株)"], &[1]),
        (&["--customer", "example kk"], &[2]),
        (&["--customer", "Example"], &[]),
        (&["--customer", "ther", "--ticket", "ops-10"], &[3]),
        (&["--ticket", "1042"], &[1, 2, 3]),
        (&["--note", "relay"], &[]),
    ] {
        let list = scene.op25b(&[&["exempt", "list", "--json"], words].concat());
        let document: Value = serde_json::from_str(&list.stdout).unwrap();
        let expected: Vec<_> = found.iter().map(|id| Ulid::from(*id).to_string()).collect();
        assert_eq!(ids(&document), expected, "{words:?}");
    }
    let empty = scene.op25b(&["exempt", "list", "--customer", " "]);
    assert_eq!(empty.code, Some(2), "{empty:?}");
}

#[test]
fn a_store_that_cannot_be_read_is_no_empty_store() {
    let scene = Scene::new();
    scene.store(&[record(1, "First", "198.51.100.8/29")]);
    let store = std::fs::read_dir(scene.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file() && std::fs::metadata(path).unwrap().len() > 4096)
        .unwrap();
    let mut bytes = std::fs::read(&store).unwrap();
    bytes[..4096].fill(0x5a);
    std::fs::write(&store, bytes).unwrap();
    let answer = scene.op25b(&["exempt", "list"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
    assert!(answer.stderr.contains("the exemption store"), "{answer:?}");
}

#[test]
fn explain_takes_no_daemons_word_for_a_filter_that_is_on_no_interface_here() {
    let scene = Scene::new();
    let daemon = scene.daemon(|request| {
        if request.line.starts_with("GET /v1/status") {
            return ok(&Status {
                pid: Some(1),
                policy_file: Some("/etc/op25b/policy.yaml".into()),
                ..Status::nothing()
            });
        }
        ok(&explained("drop", "blocked"))
    });
    let explain = ["explain", "--src", "198.51.100.8"];
    scene.op25b(&explain).is(
        0,
        "198.51.100.8 -> 203.0.113.1 port 25: pass: no filter on any interface here\n",
        "",
    );
    // For a policy file the daemon gets no request.
    let before = daemon.requests().len();
    let missing = shown(&scene.path("missing.yaml"));
    assert_eq!(
        scene
            .op25b(&[&explain[..], &["--policy", &missing]].concat())
            .code,
        Some(2)
    );
    assert_eq!(daemon.requests().len(), before);
}
