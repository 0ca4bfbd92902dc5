//! `op25b rollout` from a policy file and the databases of a state directory: what is known is counted, and what is not is said.

use std::{fs, path::PathBuf, process::Output};

use op25b::store::notices::{Notice, Notices};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command::op25b_in,
    report_command::{write_history, write_sessions},
};

/// Two pools of the history: one with a date that was reached in its week and another one ahead, and one that is monitored.
pub const POLICY: &str = "version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - name: residential
    prefixes: [198.51.100.0/24, 2001:db8:100::/40]
    phases:
      - { from: '2025-03-04T00:00:00Z', only_to: [192.0.2.0/24] }
      - { from: '2025-03-20T00:00:00Z' }
  - { name: mobile, prefixes: [203.0.113.0/24], mode: monitor }
exemptions:
  - { customer: Muster AG, prefixes: [198.51.100.8/29] }
";

/// The customer who had an address of the second pool until 4 March.
const FORMER: &str = "株式会社サンプル\r\nBcc: x@example.net";

struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        fs::write(scene.path("policy.yaml"), POLICY).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, options: &[&str]) -> Output {
        op25b_in(self.0.path())
            .args(["rollout", "--policy", "policy.yaml", "--state-dir", "state"])
            .args(["--until", "2025-03-08T00:00:00Z"])
            .current_dir(self.0.path())
            .args(options)
            .env("TZ", "Asia/Tokyo")
            .env("COLUMNS", "80")
            .output()
            .unwrap()
    }

    fn text(&self, since: &str) -> String {
        let output = self.run(&["--since", since]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let directory = self.0.path().display().to_string();
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(&directory, "/etc/op25b")
    }

    fn pools(&self, since: &str) -> Value {
        let output = self.run(&["--since", since, "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], "op25b.rollout/1");
        document["pools"].clone()
    }
}

#[test]
fn what_is_not_known_is_said_and_not_counted_as_nothing() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.text("2025-03-01T00:00:00Z"));
    let pools = scene.pools("2025-03-01T00:00:00Z");
    for member in [
        "now",
        "subscribers",
        "customers",
        "written",
        "stopped_since_notice",
    ] {
        assert_eq!(pools[0][member], Value::Null, "{member}");
    }
    write_history(&scene.path("state"));
    let text = scene.text("2025-03-01T00:00:00Z");
    assert!(text.contains("`op25b sessions import`"), "{text}");
    assert!(text.contains("not known: there are no sessions in "), "{text}");
    assert!(text.contains("not known: nobody was written to"), "{text}");
}

#[test]
fn the_roll_out_of_each_pool_has_whom_it_concerns_and_who_has_stopped() {
    let scene = Scene::new();
    let state = scene.path("state");
    write_history(&state);
    write_sessions(&state);
    let mut notices = Notices::open(&state).unwrap().notices;
    let notice = Notice {
        written: "2025-03-04T12:00:00Z".parse().unwrap(),
        template: "aa".to_owned(),
    };
    notices.add([FORMER].into_iter(), &notice).unwrap();
    insta::assert_snapshot!(scene.text("2025-03-05T00:00:00Z"));
    let pools = scene.pools("2025-03-05T00:00:00Z");
    let [residential, mobile] = [&pools[0], &pools[1]];
    assert_eq!(residential["mode"], "partial");
    assert_eq!(
        (&residential["phase"], &residential["phases"]),
        (&1.into(), &2.into())
    );
    assert_eq!(residential["next_date"], "2025-03-20T00:00:00Z");
    // The bot and the IPv6 subscriber; the exempt one tried before, and is another's.
    assert_eq!(residential["subscribers"], 2);
    assert_eq!(residential["exempt"], 0);
    assert_eq!(residential["customers"], 1);
    assert_eq!(residential["step"], "write_notices");
    // One subscriber tried before the date and goes on; the exempt one tried after it.
    assert_eq!(residential["tried_before_date"], 1);
    assert_eq!(residential["stopped_since_date"], 0);
    // The address has another customer since.
    assert_eq!(mobile["customers"], 1);
    assert_eq!(mobile["written"], 0);
    assert_eq!(
        (&mobile["written_before"], &mobile["stopped_since_notice"]),
        (&1.into(), &1.into())
    );
    // In the whole week both customers of the address tried.
    let week = scene.pools("2025-03-01T00:00:00Z");
    assert_eq!(
        (&week[1]["customers"], &week[1]["written"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        (&week[0]["subscribers"], &week[0]["exempt"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        week[0]["tried_before_date"],
        Value::Null,
        "the date is in the period"
    );
    let refused = scene.run(&["--pool", "residental"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
