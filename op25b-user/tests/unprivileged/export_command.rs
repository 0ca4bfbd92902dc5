//! `op25b export prefixes` from a policy file: which prefixes it prints, and its exit codes.

use std::{fs, path::PathBuf, process::Output};

use tempfile::TempDir;

use crate::command::op25b_in;

const POLICY: &str = "version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: homes, prefixes: [198.51.100.0/25, 198.51.100.128/25, 2001:db8:100::/40] }
  - { name: mobile, prefixes: [198.51.100.64/26, 203.0.113.0/24] }
exemptions:
  - { customer: A, prefixes: [198.51.100.0/26, '2001:db8:180::/41'] }
  - { customer: B, prefixes: [198.51.100.128/30], destinations: [192.0.2.25] }
  - { customer: C, prefixes: [198.51.100.160/27], expires: 2020-01-01 }
  - { customer: D, prefixes: [198.51.100.192/26, 192.0.2.0/24] }
";

struct Scene(TempDir);

impl Scene {
    fn new(text: &str) -> Self {
        let scene = Self(TempDir::new().unwrap());
        fs::write(scene.policy(), text).unwrap();
        scene
    }

    fn policy(&self) -> PathBuf {
        self.0.path().join("policy.yaml")
    }

    fn prefixes(&self, options: &[&str]) -> Output {
        op25b_in(self.0.path())
            .args(["export", "prefixes", "--policy"])
            .arg(self.policy())
            .args(options)
            .output()
            .unwrap()
    }

    fn lines(&self, options: &[&str]) -> Vec<String> {
        let output = self.prefixes(options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_pool_has_its_prefixes_joined_and_without_those_of_others_in_it() {
    let scene = Scene::new(POLICY);
    assert_eq!(
        scene.lines(&["--pool", "homes"]),
        ["198.51.100.0/26", "198.51.100.128/25", "2001:db8:100::/40"]
    );
    assert_eq!(
        scene.lines(&["--pool", "mobile"]),
        ["198.51.100.64/26", "203.0.113.0/24"]
    );
    let all = ["198.51.100.0/24", "203.0.113.0/24", "2001:db8:100::/40"];
    assert_eq!(scene.lines(&[]), all);
    assert_eq!(scene.lines(&["--pool", "mobile", "--pool", "homes"]), all);
}

#[test]
fn without_what_is_exempt_to_every_destination_the_rest_is_printed() {
    let scene = Scene::new(POLICY);
    assert_eq!(
        scene.lines(&["--pool", "homes", "--without-exempt"]),
        ["198.51.100.128/26", "2001:db8:100::/41"]
    );
    let output = scene.prefixes(&["--without-exempt", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["without_exempt"], true);
    assert_eq!(document["pools"][0]["name"], "homes");
    assert_eq!(document["pools"][0]["prefixes"][1], "2001:db8:100::/41");
    assert_eq!(document["pools"][1]["prefixes"][0], "198.51.100.64/26");
}

#[test]
fn an_unknown_pool_exits_with_1_and_names_those_that_there_are() {
    let scene = Scene::new(POLICY);
    let output = scene.prefixes(&["--pool", "home"]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.ends_with("\nop25b: there is no pool home; the pools are homes, mobile\n"),
        "{error}"
    );
    let broken = Scene::new("version: 1\n");
    assert_eq!(broken.prefixes(&[]).status.code(), Some(2));
}

#[test]
fn a_hundred_thousand_exemptions_are_taken_out_of_a_pool() {
    let item = |i: u32| {
        let address = format!("10.{}.{}.{}", i >> 15, (i >> 7) & 255, (i << 1) & 255);
        format!("  - {{ customer: C{i}, prefixes: [{address}] }}\n")
    };
    let exemptions: String = (0..100_000).map(item).collect();
    let scene = Scene::new(&format!(
        "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\npools: [{{ name: homes, prefixes: [10.0.0.0/8] }}]\nexemptions:\n{exemptions}"
    ));
    let lines = scene.lines(&["--without-exempt"]);
    // Every second address up to 200,000 is left, each by itself.
    assert_eq!(lines.iter().filter(|line| line.ends_with("/32")).count(), 100_000);
    assert_eq!(&lines[..2], ["10.0.0.1/32", "10.0.0.3/32"]);
    assert_eq!(lines.last().unwrap(), "10.128.0.0/9");
}
