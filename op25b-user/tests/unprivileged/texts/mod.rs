//! What commands print, at 80 and at 200 columns, with customers in Japanese, in the locale and the time zone of Japan.

pub mod daemon;

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use self::daemon::{ID, answer};
use crate::{command::op25b_in, exempt_command::scene::Scene};

const POLICY: &str = "version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: 家庭用, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: モバイル, mode: monitor, prefixes: [203.0.113.0/24] }
relays: [{ name: 中継, prefixes: [192.0.2.25] }]
exemptions:
  - { customer: 株式会社サンプル, prefixes: [198.51.100.8/29] }
  - { customer: ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ, prefixes: [192.0.2.8/29] }
";

struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command in the directory of a scene.
fn run(scene: &Scene, words: &[&str], columns: u16) -> Output {
    let output = op25b_in(&scene.path(""))
        .args(words)
        .current_dir(scene.path(""))
        .env("COLUMNS", columns.to_string())
        .env("LANG", "ja_JP.UTF-8")
        .env("TZ", "Asia/Tokyo")
        .output()
        .unwrap();
    let text = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let text = text.replace(scene.path("").to_str().unwrap(), "/srv/op25b/");
        without_days(&text)
    };
    Output {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The text with `N` for each digit of the days until 2099, which are five digits.
fn without_days(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].bytes().take_while(u8::is_ascii_digit).count();
        let number = &rest[start..start + digits];
        shown += &rest[..start];
        shown += if digits == 5 { "NNNNN" } else { number };
        rest = &rest[start + digits..];
    }
    shown + rest
}

/// The output at both widths.
fn at_both_widths(scene: &Scene, words: &[&str]) -> String {
    let shown = [80, 200].map(|columns| {
        let Output { code, stdout, stderr } = run(scene, words, columns);
        let mut shown = stdout;
        if !stderr.is_empty() {
            write!(shown, "-- stderr\n{stderr}").unwrap();
        }
        writeln!(shown, "-- exit code {}", code.unwrap()).unwrap();
        shown
    });
    let words: Vec<_> = words
        .iter()
        .map(|word| {
            if word.contains(' ') {
                format!("'{word}'")
            } else {
                (*word).to_owned()
            }
        })
        .collect();
    let command = format!("$ op25b {}\n", words.join(" "));
    match shown {
        [narrow, wide] if narrow == wide => format!("{command}{narrow}"),
        [narrow, wide] => format!("{command}80 columns:\n{narrow}\n200 columns:\n{wide}"),
    }
}

/// The output of several commands with a daemon.
fn texts(commands: &[&[&str]]) -> String {
    let scene = Scene::new();
    scene.file("policy.yaml", POLICY);
    scene.file(
        "customers.csv",
        "customer,prefixes\n株式会社サンプル,198.51.100.8/29\n",
    );
    let _daemon = scene.daemon(answer);
    let texts: Vec<_> = commands
        .iter()
        .map(|words| at_both_widths(&scene, words))
        .collect();
    texts.join("\n")
}

#[test]
fn lists_fit_the_terminal() {
    insta::assert_snapshot!(texts(&[
        &["exempt", "list"],
        &["exempt", "list", "--sort", "-customer", "--no-header"],
        &["exempt", "list", "-o", "wide"],
    ]));
}

#[test]
fn one_exemption_is_shown_with_all_that_is_known() {
    insta::assert_snapshot!(texts(&[&["exempt", "show", ID]]));
}

#[test]
fn the_history_is_folded_between_words() {
    insta::assert_snapshot!(texts(&[&["exempt", "history"]]));
}

#[test]
fn changes_say_what_is_so_now() {
    let customer = "株式会社サンプル";
    insta::assert_snapshot!(texts(&[
        &[
            "exempt",
            "add",
            "198.51.100.8/29",
            "--customer",
            customer,
            "--expires",
            "2099-03-31"
        ],
        &[
            "exempt",
            "extend",
            ID,
            "--expires",
            "2099-03-31",
            "--reason",
            "契約更新"
        ],
        &["exempt", "remove", ID, "--reason", "解約のため"],
        &["exempt", "restore", ID],
        &["exempt", "remove", customer, "--reason", "解約のため"],
        &["exempt", "import", "customers.csv"],
        &["exempt", "import", "--dry-run", "customers.csv"],
    ]));
}

#[test]
fn a_reload_says_what_is_in_force_in_the_time_of_the_reader() {
    insta::assert_snapshot!(texts(&[
        &["reload", "--dry-run"],
        &["reload", "--confirm", "5m"],
        &["confirm"],
        &["reload"],
    ]));
}

#[test]
fn a_pause_and_its_end_say_what_is_paused_until_when_and_why() {
    insta::assert_snapshot!(texts(&[
        &[
            "pause",
            "--pool",
            "家庭用",
            "--reason",
            "OPS-812: メールが届かない"
        ],
        &["pause", "--for", "25h", "--reason", "OPS-812"],
        &["resume", "--pool", "家庭用"],
    ]));
}

#[test]
fn exports_are_the_same_at_every_width() {
    let text = texts(&[
        &["exempt", "export"],
        &["exempt", "export", "--format", "yaml"],
        &[
            "export",
            "prefixes",
            "--policy",
            "policy.yaml",
            "--pool",
            "モバイル",
        ],
        &["export", "prefixes", "--policy", "policy.yaml", "--pool", "法人"],
    ]);
    assert!(!text.contains("200 columns"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_check_points_at_the_mistake_below_wide_characters() {
    let scene = Scene::new();
    scene.file("policy.yaml", POLICY);
    scene.file("wrong.yaml", &POLICY.replace("[192.0.2.8/29]", "[192.0.2.9/29]"));
    let texts =
        ["policy.yaml", "wrong.yaml", "missing.yaml"].map(|file| at_both_widths(&scene, &["check", file]));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn without_a_daemon_it_is_said_what_is_read_instead_and_what_was_not_done() {
    let scene = Scene::new();
    let customer = "株式会社サンプル";
    let texts = [
        &["exempt", "list"][..],
        &["exempt", "show", ID],
        &["exempt", "history"],
        &["exempt", "add", "198.51.100.8/29", "--customer", customer],
        &["exempt", "remove", ID, "--reason", "解約のため"],
        &["reload"],
    ]
    .map(|words| at_both_widths(&scene, words));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn no_line_of_a_list_or_a_history_is_wider_than_the_terminal() {
    let scene = Scene::new();
    let _daemon = scene.daemon(answer);
    for words in [&["exempt", "list"][..], &["exempt", "history"]] {
        for columns in [80, 100, 132, 200] {
            let text = run(&scene, words, columns).stdout;
            for line in text.lines() {
                assert!(line.width() <= usize::from(columns), "{columns}: {line}");
            }
            for whole in ["01KAXQ3T5BH6Z8W2N4R7C9D1EG", "2001:db8:100:8::/64"] {
                assert!(text.contains(whole), "{columns}: {text}");
            }
        }
    }
}
