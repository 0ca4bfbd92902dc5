//! Customers who have an address one after the other: what each did is attributed to them, and one of them is forgotten.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use op25b::store::notices::{Notice, Notices};
use op25b_testlab::{filter::Filter, packet_socket::PacketSocket};
use serde_json::{Value, json};

use super::syn;
use crate::support::scene::{Scene, eventually};

/// The address that both have, one after the other.
pub(super) const SHARED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 78);
const FIRST: &str = "alice@customers.example";
const SECOND: &str = "bob@customers.example";
/// How many SYNs each sends.
pub(super) const SYNS: [u64; 2] = [3, 2];

/// The first customer, who is online.
pub(super) struct Customers {
    began: Timestamp,
    /// The last second that has something of the first customer.
    last: Timestamp,
}

/// Reports what becomes of sessions.
fn report(scene: &Scene, events: &Value) -> Value {
    let body = events.to_string();
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let answer = scene.send_daemon("POST /v1/sessions", &headers, &body);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// The second of a time, and so many later.
fn second(at: Timestamp, later: i64) -> Timestamp {
    Timestamp::from_second(at.as_second() + later).unwrap()
}

impl Customers {
    /// The first one comes online and sends.
    pub(super) fn begin(scene: &Scene, filter: &Filter, line: &PacketSocket) -> Self {
        let began = second(Timestamp::now(), -60);
        let event = json!({ "customer": FIRST, "prefix": SHARED, "start": began });
        assert_eq!(report(scene, &event)["added"], 1);
        let before = filter.count("blocked").unwrap();
        for _ in 0..SYNS[0] {
            line.send(&syn(SHARED)).unwrap();
        }
        eventually("all are counted", || {
            filter.count("blocked").unwrap() == before + SYNS[0]
        });
        // A second of the boot is in two of the clock.
        let last = second(Timestamp::now(), 1);
        Self { began, last }
    }

    /// The address becomes that of the second one, who sends as well: each has what they did, and nothing is nobody's.
    pub(super) fn change(&self, scene: &Scene, filter: &Filter, line: &PacketSocket) {
        eventually("nothing of the first one can be of this second", || {
            Timestamp::now() >= self.last + SignedDuration::from_secs(2)
        });
        let events = json!([
            { "customer": FIRST, "prefix": SHARED, "start": self.began, "end": self.last },
            { "customer": SECOND, "prefix": SHARED, "start": second(self.last, 1) },
        ]);
        assert_eq!(report(scene, &events)["warnings"], json!([]));
        assert_eq!(
            report(scene, &events)["added"],
            0,
            "what is repeated changes nothing"
        );
        let before = filter.count("blocked").unwrap();
        for _ in 0..SYNS[1] {
            line.send(&syn(SHARED)).unwrap();
        }
        eventually("all are counted", || {
            filter.count("blocked").unwrap() == before + SYNS[1]
        });
        eventually("the session covers it", || {
            let lasts = json!({ "customer": SECOND, "prefix": SHARED, "start": second(self.last, 1) });
            report(scene, &lasts);
            // What is open is written.
            forget(scene, "subscribers", "192.0.2.200");
            // Until its last second is covered, what it made may be somebody else's.
            attributed(scene)
                == Attributed {
                    customers: vec![(FIRST.to_owned(), SYNS[0]), (SECOND.to_owned(), SYNS[1])],
                    ambiguous: 0,
                }
        });
    }

    /// The first one is forgotten, and nobody else.
    pub(super) fn forget(scene: &Scene, state: &PathBuf) {
        let notice = Notice {
            written: Timestamp::now(),
            template: "aa".to_owned(),
        };
        let mut notices = Notices::open(state).unwrap().notices;
        notices.add([FIRST, SECOND].into_iter(), &notice).unwrap();
        drop(notices);
        let answer = forget(scene, "sessions", FIRST);
        for line in [
            "removed 1 record from the kernel\n",
            "removed 1 row from the history\n",
            "removed 1 session from the sessions\n",
            "removed 1 notice from the record of notices\n",
        ] {
            assert!(answer.contains(line), "{answer}");
        }
        assert!(forget(scene, "sessions", FIRST).starts_with("nothing was recorded\n"));
        let expected = Attributed {
            customers: vec![(SECOND.to_owned(), SYNS[1])],
            ambiguous: 0,
        };
        assert_eq!(attributed(scene), expected);
        eventually("that it is read is recorded", || {
            let reads = scene.ask_daemon("GET /v1/reads?limit=1");
            reads.contains("\"detail\":\"report\"") && reads.contains("OPS-1208")
        });
        for file in fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_file() {
                let bytes = fs::read(&file).unwrap();
                let found = bytes.windows(FIRST.len()).any(|part| part == FIRST.as_bytes());
                assert!(!found, "in {}", file.display());
            }
        }
    }
}

fn forget(scene: &Scene, of: &str, what: &str) -> String {
    let answer = scene.op25b(&[of, "forget", what, "--reason", "OPS-1207"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout
}

/// The packets of each customer, and those that one of several made.
#[derive(Debug, PartialEq)]
struct Attributed {
    customers: Vec<(String, u64)>,
    ambiguous: u64,
}

fn attributed(scene: &Scene) -> Attributed {
    let words = [
        "report", "--by", "customer", "--skew", "0s", "--json", "--reason", "OPS-1208",
    ];
    let report = scene.op25b(&words).json();
    let rows = report["rows"].as_array().unwrap().iter();
    let mut customers: Vec<_> = rows
        .map(|row| {
            let customer = row["customer"].as_str().unwrap().to_owned();
            (customer, row["packets"].as_u64().unwrap())
        })
        .collect();
    customers.sort();
    Attributed {
        customers,
        ambiguous: report["not_attributed"]["ambiguous"]["packets"].as_u64().unwrap(),
    }
}
