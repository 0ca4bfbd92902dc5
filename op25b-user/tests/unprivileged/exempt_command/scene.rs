//! The environment of a test: directories of its own, and op25b with these for its paths.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use jiff::Timestamp;
use op25b::{
    api::{Exemption, Explained, Origin},
    exemption::Terms,
    store::{Actor, Change, ChangeKind, Commit, Record, Records as _, State, Store as _, sqlite},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use ulid::Ulid;

use crate::{
    command::op25b_in,
    exempt_command::daemon::{Daemon, Reply, Request},
};

/// Directories.
pub struct Scene(TempDir);

/// A command's output and exit code.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        for directory in ["bpf", "run", "state"] {
            fs::create_dir(scene.path(directory)).unwrap();
        }
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A stand-in for the daemon.
    pub fn daemon(&self, answer: impl Fn(&Request) -> Reply + Send + 'static) -> Daemon {
        Daemon::at(&self.path("run"), answer)
    }

    /// Runs op25b to its end.
    pub fn op25b(&self, arguments: &[&str]) -> Answer {
        self.op25b_fed(arguments, "")
    }

    /// Runs op25b in Tokyo.
    pub fn op25b_in_tokyo(&self, arguments: &[&str]) -> Answer {
        self.run(arguments, "", "JST-9")
    }

    /// The same as [`Self::op25b`], with something to read on stdin.
    pub fn op25b_fed(&self, arguments: &[&str], stdin: &str) -> Answer {
        self.run(arguments, stdin, "UTC")
    }

    fn run(&self, arguments: &[&str], stdin: &str, time_zone: &str) -> Answer {
        let mut child = op25b_in(&self.path(""))
            .args(arguments)
            .env("TZ", time_zone)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not read to the end.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Stores exemptions, as a daemon does.
    pub fn store(&self, records: &[Record]) {
        let mut store = sqlite::open(&self.path("state")).store;
        for record in records {
            let add = Change {
                action: ChangeKind::Add,
                before: None,
                after: record.clone(),
            };
            store.commit(&commit(add, None)).unwrap();
        }
    }

    /// Removes a stored exemption, as a daemon does.
    pub fn remove(&self, id: Ulid, reason: &str) {
        let mut store = sqlite::open(&self.path("state")).store;
        let before = store.get(id).unwrap().unwrap();
        let remove = Change {
            action: ChangeKind::Remove,
            after: Record {
                removed_at: Some(Timestamp::now()),
                ..before.clone()
            },
            before: Some(before),
        };
        store.commit(&commit(remove, Some(reason))).unwrap();
    }
}

fn commit(change: Change, reason: Option<&str>) -> Commit {
    Commit {
        at: Timestamp::now(),
        by: alice(),
        reason: reason.map(str::to_owned),
        changes: vec![change],
        request: None,
        taken_back: None,
    }
}

fn alice() -> Actor {
    Actor {
        uid: 1000,
        name: "alice".into(),
    }
}

impl Answer {
    /// The one JSON document on stdout, with nothing on stderr.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts the exit code and the output.
    #[track_caller]
    pub fn is(&self, code: i32, stdout: &str, stderr: &str) {
        assert_eq!(
            (self.code, self.stdout.as_str(), self.stderr.as_str()),
            (Some(code), stdout, stderr)
        );
    }
}

/// A stored exemption.
pub fn record(id: u128, customer: &str, prefix: &str) -> Record {
    let terms = Terms {
        ticket: Some("OPS-1042".into()),
        ..Terms::new(customer, [prefix.parse().unwrap()])
    };
    let at = "2027-03-31T00:00:00Z".parse().unwrap();
    Record::new(Ulid::from(id), terms, at, alice())
}

/// The same, as a daemon reports it.
pub fn exemption(id: &str, customer: &str, prefix: &str) -> Exemption {
    Exemption {
        id: id.into(),
        origin: Origin::Store,
        state: State::Active,
        ..Exemption::stored(record(0, customer, prefix), Timestamp::UNIX_EPOCH)
    }
}

/// What a program does with a connection.
pub fn explained(verdict: &str, reason: &str) -> Explained {
    let document = json!({
        "source": "198.51.100.8",
        "destination": "203.0.113.1",
        "port": 25,
        "verdict": verdict,
        "reason": reason,
        "rule": null,
    });
    serde_json::from_value(document).unwrap()
}

/// A path in the form that a message has it in.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
