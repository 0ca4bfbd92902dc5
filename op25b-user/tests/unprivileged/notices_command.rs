//! `op25b notices` from a history and sessions in a directory: which files it writes, and to whom.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

use op25b_testlab::paths;
use tempfile::TempDir;

use crate::{
    command::op25b_in,
    report_command::{POLICY, WEEK, write_history, write_sessions},
};

struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        fs::write(scene.path("policy.yaml"), POLICY).unwrap();
        write_history(&scene.path("state"));
        write_sessions(&scene.path("state"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, template: &str, options: &[&str]) -> Output {
        op25b_in(self.0.path())
            .args(["notices", "--policy"])
            .arg(self.path("policy.yaml"))
            .arg("--template")
            .arg(paths::workspace().join("policies/notices").join(template))
            .arg("--out")
            .arg(self.path("out"))
            .args(WEEK)
            .args(options)
            .env("TZ", "Asia/Tokyo")
            .output()
            .unwrap()
    }

    fn stdout(&self, template: &str, options: &[&str]) -> String {
        let output = self.run(template, options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The files that were written, by name.
    fn files(&self) -> BTreeMap<String, String> {
        let Ok(entries) = fs::read_dir(self.path("out")) else {
            return BTreeMap::new();
        };
        let files = entries.map(|entry| entry.unwrap());
        files
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    }
}

/// A text without what differs from day to day.
fn without_today(text: &str) -> String {
    text.split_once("\n\n")
        .map_or_else(String::new, |(_, rest)| rest.to_owned())
}

#[test]
fn each_customer_gets_a_notice_once_in_both_languages() {
    let scene = Scene::new();
    let dry = scene.stdout("notice.en.txt", &["--dry-run"]);
    assert_eq!(dry, "3 customers would be written to\n");
    assert!(scene.files().is_empty() && !scene.path("state/notices.db").exists());
    scene.stdout("notice.en.txt", &["--class", "bulk-or-bot"]);
    let files = scene.files();
    assert_eq!(files.len(), 2, "{files:?}");
    let (_, text) = files
        .iter()
        .find(|(name, _)| name.starts_with("Example-KK-"))
        .unwrap();
    insta::assert_snapshot!(without_today(text));
    // A template in another language is no other reason to write.
    let second = scene.run("notice.ja.txt", &["--force"]);
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains("left out: 1 customer, written to before"), "{told}");
    let files = scene.files();
    assert_eq!(files.len(), 4, "{:?}", files.keys());
    assert!(files.keys().any(|name| name.starts_with("Bcc-x-example-net-")));
    insta::assert_snapshot!(files["notices.csv"]);
    let third = scene.stdout("notice.ja.txt", &["--force"]);
    assert_eq!(third, "nobody is to be written to\n");
}

#[test]
fn a_notice_that_exists_is_not_overwritten_and_nothing_is_noted_then() {
    let scene = Scene::new();
    scene.stdout("notice.ja.txt", &["--pool", "mobile"]);
    let before = scene.files();
    let japanese = before
        .iter()
        .find(|(name, _)| name.as_str() != "notices.csv")
        .unwrap()
        .1;
    insta::assert_snapshot!(without_today(japanese));
    let refused = scene.run("notice.en.txt", &["--all"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("nothing was written; --force overwrites"), "{told}");
    assert_eq!(scene.files(), before);
    let dry = scene.stdout("notice.en.txt", &["--dry-run"]);
    assert_eq!(dry, "1 customer would be written to\n");
    assert_eq!(
        scene
            .stdout("notice.en.txt", &["--all", "--force"])
            .lines()
            .count(),
        1
    );
}
