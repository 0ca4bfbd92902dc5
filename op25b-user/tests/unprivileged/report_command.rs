//! `op25b report` from a history in a directory and a policy file: what it prints in each format, and its exit codes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b::{
    session::Session,
    store::{
        activity::{ActivityStore, Counted, ReadUntil, Reading},
        sessions::Sessions,
    },
};
use tempfile::TempDir;

use crate::command::op25b_in;

pub const POLICY: &str = "version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: mobile, prefixes: [203.0.113.0/24], mode: monitor }
exemptions:
  - { customer: \"=HYPERLINK(1)\", prefixes: [198.51.100.8/29], id: formula }
  - { customer: \"<script>alert(1)</script>\", prefixes: [203.0.113.8/29], id: script }
";

/// The week of the history.
pub const WEEK: [&str; 4] = [
    "--since",
    "2025-03-01T00:00:00Z",
    "--until",
    "2025-03-08T00:00:00Z",
];

/// What was counted of subscribers, in buckets of ten minutes.
struct Written {
    store: ActivityStore,
    counted: BTreeMap<IpNet, Counted>,
}

impl Written {
    /// Adds what a subscriber did in the bucket that begins at a time: blocked and monitored SYNs.
    fn add(&mut self, subscriber: &str, start: &str, [blocked, monitored]: [u32; 2], destinations: u64) {
        let subscriber = subscriber.parse().unwrap();
        let start: Timestamp = format!("2025-03-{start}:00Z").parse().unwrap();
        let after = |seconds| Timestamp::from_second(start.as_second() + seconds).unwrap();
        let counted = self.counted.entry(subscriber).or_default();
        counted.first_seen = 8;
        counted.blocked_syns += blocked;
        counted.monitored_syns += monitored;
        counted.monitored_others += 3 * monitored;
        let reading = Reading {
            subscriber,
            start,
            first: after(20),
            last: after(320),
            counted: *counted,
            destinations,
        };
        self.store.write(&[reading], until(after(600))).unwrap();
    }
}

/// That the kernel was read up to a time.
fn until(at: Timestamp) -> ReadUntil {
    ReadUntil { noted: 1, at }
}

/// Writes a history: a bot, a mail server, a mail client, a device that is rare, and one in no pool.
pub fn write_history(state_dir: &Path) {
    let mut written = Written {
        store: ActivityStore::open(state_dir, "2c0f8f42-3f0c-4b0c-9d2e-1f3f5a1b7c11")
            .unwrap()
            .store,
        counted: BTreeMap::new(),
    };
    let begin = "2025-03-02T00:00:00Z".parse().unwrap();
    written.store.begin(until(begin)).unwrap();
    for day in 2..7 {
        for hour in [1, 9, 12] {
            let start = |minute| format!("0{day}T{hour:02}:{minute:02}");
            written.add("198.51.100.77/32", &start(10), [14, 0], 1 << 7);
            written.add("203.0.113.9/32", &start(20), [0, 6], 0b1011 << day);
        }
    }
    written.add("198.51.100.9/32", "04T03:00", [7, 0], 1);
    written.add("2001:db8:100:7::/64", "05T18:30", [5210, 0], u64::MAX >> 2);
    written.add("192.0.2.1/32", "06T23:50", [0, 1], 1);
}

struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        fs::write(scene.path("policy.yaml"), POLICY).unwrap();
        scene
    }

    fn with_history() -> Self {
        let scene = Self::new();
        write_history(&scene.path("state"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn report(&self, options: &[&str]) -> Output {
        op25b_in(self.0.path())
            .args(["report", "--policy"])
            .arg(self.path("policy.yaml"))
            .args(options)
            .env("TZ", "Asia/Tokyo")
            .output()
            .unwrap()
    }

    fn week(&self, options: &[&str]) -> String {
        let output = self.report(&[&WEEK, options].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_table_has_the_period_its_sums_and_the_subscribers_with_their_classes() {
    let scene = Scene::with_history();
    insta::assert_snapshot!(scene.week(&[]));
    insta::assert_snapshot!(scene.week(&["--pool", "residential", "--top", "1", "--no-header"]));
    let text = scene.week(&["--class", "mail-server"]);
    assert!(
        text.contains("203.0.113.9") && !text.contains("198.51.100.77"),
        "{text}"
    );
    let text = scene.week(&["--src", "198.51.100.0/28"]);
    assert!(
        text.starts_with("1 subscriber with 7 packets (7 blocked, 0 monitored)"),
        "{text}"
    );
}

#[test]
fn csv_has_every_row_and_no_cell_that_is_a_formula() {
    let scene = Scene::with_history();
    let text = scene.week(&["--format", "csv", "--class", "rare"]);
    insta::assert_snapshot!(text);
    for line in text.lines() {
        assert!(
            line.split(',')
                .all(|cell| !cell.trim_start_matches('"').starts_with(['=', '+', '-', '@'])),
            "{line}"
        );
    }
}

#[test]
fn html_is_one_file_that_refers_to_no_other_and_escapes_names() {
    let scene = Scene::with_history();
    let text = scene.week(&["--format", "html"]);
    assert!(text.contains("&lt;script&gt;alert(1)"), "{text}");
    for absent in ["<script", "http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert_eq!(text.matches("<svg class=\"chart\"").count(), 1);
    assert!(text.contains("2025-03-05: 42 blocked, 72 monitored"), "{text}");
    for part in ["By class", "By pool", "mobile", "bulk or bot", "2001:db8:100:7::"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn json_has_the_sums_and_every_row() {
    let scene = Scene::with_history();
    let document: serde_json::Value = serde_json::from_str(&scene.week(&["--json"])).unwrap();
    assert_eq!(document["schema"], "op25b.report/1");
    assert_eq!(document["history"]["oldest"], "2025-03-02T01:10:20Z");
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for member in ["packets", "blocked", "monitored", "syns", "hidden"] {
        let sum: u64 = rows.iter().map(|row| row[member].as_u64().unwrap()).sum();
        for sums in ["classes", "pools", "days"] {
            let sums = document[sums].as_array().unwrap();
            let of_sums: u64 = sums.iter().map(|part| part[member].as_u64().unwrap()).sum();
            assert_eq!(of_sums, sum, "{member}");
        }
        assert_eq!(document["total"][member], sum);
    }
}

/// Writes sessions: of a customer with two addresses, of two who share a bucket, and of nobody for the rest.
pub fn write_sessions(state_dir: &Path) {
    let at = |time: &str| format!("2025-03-{time}:00Z").parse().unwrap();
    let session = |customer: &str, prefix: &str, start, end| {
        Session::ended(customer, prefix.parse().unwrap(), at(start), at(end))
    };
    let mut sessions = Sessions::open(state_dir).unwrap().sessions;
    let mut import = sessions.import().unwrap();
    for session in [
        session("Example KK", "198.51.100.77/32", "01T00:00", "08T00:00"),
        session("Example KK", "2001:db8:100::/56", "01T00:00", "08T00:00"),
        session(
            "株式会社サンプル\r\nBcc: x@example.net",
            "203.0.113.9/32",
            "01T00:00",
            "04T09:23",
        ),
        session("=1+1", "203.0.113.9/32", "04T09:23", "08T00:00"),
    ] {
        import.add(&session).unwrap();
    }
    import.commit().unwrap();
}

#[test]
fn by_customer_each_bucket_is_that_of_who_had_the_address_and_of_nobody_if_two_share_it() {
    let scene = Scene::with_history();
    let output = scene.report(&[&WEEK[..], &["--by", "customer"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("there are no sessions in"), "{text}");
    write_sessions(&scene.path("state"));
    insta::assert_snapshot!(scene.week(&["--by", "customer"]));
    insta::assert_snapshot!(scene.week(&["--by", "customer", "--format", "csv"]));
    let document: serde_json::Value =
        serde_json::from_str(&scene.week(&["--by", "customer", "--json"])).unwrap();
    let rest = &document["not_attributed"];
    assert_eq!(rest["ambiguous"]["packets"], 24);
    assert_eq!(rest["unattributed"]["rows"], 2);
    let ambiguous = &rest["buckets"].as_array().unwrap()[1];
    assert_eq!(ambiguous["customers"].as_array().unwrap().len(), 2, "{rest}");
}

#[test]
fn without_a_history_or_a_pool_of_that_name_it_fails_and_says_why() {
    let scene = Scene::new();
    let output = scene.report(&[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("there is no history in"), "{text}");
    let output = scene.report(&["--pool", "homes"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("there is no pool homes; the pools are residential, mobile"),
        "{text}"
    );
}
