//! Importing and exporting: what is read and sent, the errors, and that one is the inverse of the other.

use op25b::api::{Imported, NewExemption};
use serde_json::{Value, json};

use crate::exempt_command::{
    daemon::{Reply, Request, ok, problem},
    scene::{Scene, record},
};

const CSV: &str = "customer,prefixes,ticket,expires\nExample KK,198.51.100.8/29 2001:db8:100::/48,OPS-1042,2028-03-31\n\n\
                   \"Other, Inc.\",198.51.100.16/29,,\n";

fn imported(request: &Request) -> Reply {
    ok(&Imported {
        dry_run: request.body["dry_run"].as_bool().unwrap(),
        added: 1,
        batch: (!request.body["dry_run"].as_bool().unwrap()).then(|| "01KAXQ3T000000000000000000".to_owned()),
        unchanged: request.body["exemptions"].as_array().unwrap().len() - 1,
        lapsed: 0,
        removed_before: 0,
        removed_before_ids: Vec::new(),
        warnings: vec!["line 2: it is in no pool".into()],
        new_generation: false,
    })
}

/// The rows that were sent: their lines and exemptions.
fn rows(request: &Request) -> Vec<(u64, NewExemption)> {
    let rows = request.body["exemptions"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let exemption = serde_json::from_value(row["exemption"].clone()).unwrap();
            (row["line"].as_u64().unwrap(), exemption)
        })
        .collect()
}

#[test]
fn import_sends_the_rows_of_the_file_with_their_lines() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let file = scene.file("customers.csv", CSV);
    scene.op25b(&["exempt", "import", &file]).is(
        0,
        "added 1; 1 existed already\nbatch 01KAXQ3T000000000000000000\n",
        "warning: line 2: it is in no pool\n",
    );
    scene
        .op25b(&["exempt", "import", "--dry-run", "--force", &file])
        .is(
            0,
            "would add 1; 1 exists already\n",
            "warning: line 2: it is in no pool\n",
        );
    let requests = daemon.requests();
    assert_eq!(requests[0].line, "POST /v1/exemptions/import");
    assert!(requests[0].key.is_some());
    assert_eq!(requests[0].body["dry_run"], false);
    assert_eq!(requests[1].body["dry_run"], true);
    let other = NewExemption {
        customer: "Other, Inc.".into(),
        prefixes: vec!["198.51.100.16/29".into()],
        ..NewExemption::default()
    };
    let sent = rows(&requests[0]);
    assert_eq!((sent[0].0, sent[0].1.prefixes.len()), (2, 2));
    assert_eq!(sent[1], (4, other));
    assert!(rows(&requests[1]).iter().all(|(_, exemption)| exemption.force));

    let yaml = "- customer: Example KK\n  prefixes: [198.51.100.8/29, 2001:db8:100::/48]\n  ticket: OPS-1042\n  \
                expires: 2028-03-31\n- { customer: 'Other, Inc.', prefixes: [198.51.100.16/29] }\n";
    let answer = scene.op25b_fed(&["exempt", "import", "--format", "yaml", "--json", "-"], yaml);
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.json()["added"], 1);
    let same: Vec<_> = rows(&daemon.requests()[2])
        .into_iter()
        .map(|(_, exemption)| exemption)
        .collect();
    assert_eq!(
        same,
        sent.into_iter()
            .map(|(_, exemption)| exemption)
            .collect::<Vec<_>>()
    );
}

#[test]
fn every_mistake_in_a_file_is_reported_and_the_daemon_gets_no_request() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| Reply::HangUp);
    let file = scene.file("x.csv", "customer,prefixes\n,198.51.100.8/29\nB\n");
    scene.op25b(&["exempt", "import", &file]).is(
        1,
        "",
        &format!(
            "{file}:2: `customer` is empty\n{file}:3: the header has 2 columns, but this row has 1; quote a cell that contains a comma, as in \"a, b\"\nop25b: {file} has 2 mistakes; nothing was added\n"
        ),
    );
    let answer = scene.op25b(&["exempt", "import", "--json", &file]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(1), ""));
    assert_eq!(answer.json()["rows"][1]["line"], 3);
    let yaml = scene.file("x.yml", "- { customer: A, prefix: [198.51.100.8/29] }\n");
    let answer = scene.op25b(&["exempt", "import", &yaml]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.stderr.starts_with(&format!(
            "{yaml}:1: unknown key `prefix` in an exemption; did you mean `prefixes`?\n"
        )),
        "{answer:?}"
    );
    for (words, why) in [
        (["exempt", "import", "-"], "give `--format csv`, `yaml` or `json`"),
        (["exempt", "import", "missing.csv"], "cannot read missing.csv"),
    ] {
        let answer = scene.op25b(&words);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(2), ""));
        assert!(answer.stderr.contains(why), "{answer:?}");
    }
    assert!(daemon.requests().is_empty());
}

#[test]
fn what_the_daemon_finds_in_rows_is_reported_with_file_and_line() {
    let scene = Scene::new();
    let _daemon = scene.daemon(|_| {
        problem(
            422,
            "2 rows are wrong; nothing was added",
            &[(2, "198.51.100.9/29 has host bits"), (4, "in no pool")],
        )
    });
    let file = scene.file("customers.csv", CSV);
    scene.op25b(&["exempt", "import", &file]).is(
        1,
        "",
        &format!(
            "{file}:2: 198.51.100.9/29 has host bits\n{file}:4: in no pool\nop25b: 2 rows are wrong; nothing was added\n"
        ),
    );
    let answer = scene.op25b_fed(&["exempt", "import", "--format", "csv", "-"], CSV);
    assert!(
        answer.stderr.starts_with("stdin:2: 198.51.100.9/29"),
        "{answer:?}"
    );
}

#[test]
fn what_is_exported_is_imported_as_the_same_in_every_form() {
    let scene = Scene::new();
    let mut second = record(2, "Other, \"Inc.\"", "2001:db8:100::/48");
    second.terms.note = Some("two\nlines".into());
    second.terms.destinations = Box::new(["192.0.2.25/32".parse().unwrap()]);
    second.terms.expires_at = Some("2106-01-01T00:00:00Z".parse().unwrap());
    second.terms.ticket = None;
    let mut expired = record(3, "Expired", "198.51.100.16/29");
    expired.terms.expires_at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    scene.store(&[
        record(1, "Example KK", "198.51.100.8/29"),
        second,
        expired,
        record(4, "Gone", "198.51.100.24/29"),
    ]);
    scene.remove(ulid::Ulid::from(4), "gone");

    let forms = ["csv", "yaml", "json"].map(|format| {
        let exported = scene.op25b(&["exempt", "export", "--format", format]);
        assert_eq!(exported.code, Some(0), "{exported:?}");
        exported.stdout
    });
    let daemon = scene.daemon(imported);
    for (format, text) in ["csv", "yaml", "json"].iter().zip(&forms) {
        let answer = scene.op25b_fed(&["exempt", "import", "--format", format, "-"], text);
        assert_eq!(answer.code, Some(0), "{answer:?}\n{text}");
    }
    let expected = json!([
        { "customer": "Example KK", "prefixes": ["198.51.100.8/29"], "ticket": "OPS-1042", "force": false },
        {
            "customer": "Other, \"Inc.\"", "prefixes": ["2001:db8:100::/48"], "destinations": ["192.0.2.25/32"],
            "note": "two\nlines", "expires": "2106-01-01T00:00:00Z", "force": false,
        },
    ]);
    for request in daemon.requests() {
        let rows = request.body["exemptions"].as_array().unwrap();
        let sent: Vec<Value> = rows.iter().map(|row| row["exemption"].clone()).collect();
        assert_eq!(Value::from(sent), expected);
    }
}

#[test]
fn a_file_with_nothing_in_it_changes_nothing() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| Reply::HangUp);
    let file = scene.file("x.csv", "customer,prefixes\n");
    scene
        .op25b(&["exempt", "import", &file])
        .is(0, "added 0; 0 existed already\n", "");
    assert!(daemon.requests().is_empty());
}

#[test]
fn a_hundred_thousand_rows_arrive_whole() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let row = |i: u32| {
        format!(
            "Customer {i},10.{}.{}.{}/32,OPS-{i},\n",
            i >> 16,
            (i >> 8) & 255,
            i & 255
        )
    };
    let text: String = (0..100_000).map(row).collect();
    let file = scene.file("many.csv", &format!("customer,prefixes,ticket,note\n{text}"));
    assert_eq!(scene.op25b(&["exempt", "import", &file]).code, Some(0));
    let rows = rows(&daemon.requests()[0]);
    assert_eq!(rows.len(), 100_000);
    assert_eq!(rows[99_999].0, 100_001);
    assert_eq!(rows[99_999].1.prefixes, ["10.1.134.159/32"]);
}
