//! `op25b exempt`: exemptions are added and removed without a new policy, and take effect on real mail.

use std::{fs, time::Duration};

use nix::sys::signal::Signal;
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};
use serde_json::{Value, json};

use crate::{
    exempt_kernel::ReadOnlyPins,
    support::{
        foreign_program::ForeignProgram,
        scene::{Answer, SMALL, Scene, eventually},
    },
};

/// The subscriber of the lab, in both families.
const SUBSCRIBER: [&str; 2] = ["198.51.100.10", "2001:db8:100::10"];
pub const FILED: &str = "exemptions:\n  - { customer: Filed, prefixes: [198.51.100.64/29], ticket: OPS-1 }\n";

pub fn exempt(scene: &Scene, words: &[&str]) -> Answer {
    scene.op25b(&[&["exempt"][..], words].concat())
}

/// Adds an exemption, which must work; its id.
#[track_caller]
pub fn add(scene: &Scene, prefixes: &[&str], more: &[&str]) -> String {
    let words = [&["add", "--customer", "Example KK"][..], prefixes, more].concat();
    let answer = exempt(scene, &words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let mut lines = answer.stdout.lines();
    let id = lines.next().unwrap().to_owned();
    let verdict = lines.last().unwrap();
    assert!(verdict.ends_with(" port 25: pass (exempt)"), "{answer:?}");
    id
}

/// Adds an exemption that ends within seconds; its id. The verdict is that of the moment at which the program is asked, which on a busy
/// machine may be after the end.
#[track_caller]
pub fn add_for(scene: &Scene, time: &str, prefixes: &[&str]) -> String {
    let words = [
        &["add", "--customer", "Example KK", "--expires", time][..],
        prefixes,
    ]
    .concat();
    let answer = exempt(scene, &words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout.lines().next().unwrap().to_owned()
}

/// Asserts that something was refused, and that the reason has all of these in it.
#[track_caller]
fn assert_refused(answer: &Answer, reasons: &[&str]) {
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""), "{answer:?}");
    for reason in reasons {
        assert!(answer.stderr.contains(reason), "{reason} in {answer:?}");
    }
}

pub fn listed(scene: &Scene, more: &[&str]) -> Vec<Value> {
    let answer = exempt(scene, &[&["list", "--json"], more].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()["exemptions"].as_array().unwrap().clone()
}

pub fn ids(exemptions: &[Value]) -> Vec<&str> {
    exemptions
        .iter()
        .map(|exemption| exemption["id"].as_str().unwrap())
        .collect()
}

fn assert_silent(scene: &Scene, servers: &Servers) {
    for family in Family::BOTH {
        eventually("it is blocked", || {
            let patience = Duration::from_millis(1500);
            Path::DIRECT
                .attempt(&scene.lab, servers, family, patience)
                .unwrap()
                == Outcome::Silence
        });
    }
}

#[test]
fn mail_flows_as_soon_as_an_exemption_is_added_and_no_longer_once_it_is_removed() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    scene.assert_blocked(&servers, &filter);

    let id = add(
        &scene,
        &SUBSCRIBER,
        &["--ticket", "OPS-1042", "--note", "moves to the relay"],
    );
    scene.assert_open(&servers);
    for source in SUBSCRIBER {
        let explained = scene.op25b(&["explain", "--src", source]);
        assert_eq!(explained.code, Some(0), "{explained:?}");
        assert!(
            explained.stdout.contains(&format!("ticket OPS-1042, {id}\n")),
            "{explained:?}"
        );
    }

    let removed = exempt(&scene, &["remove", &id, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(
        removed.stdout.ends_with(" port 25: drop (blocked)\n"),
        "{removed:?}"
    );
    scene.assert_blocked(&servers, &filter);
    assert_refused(&exempt(&scene, &["remove", &id, "--reason", "again"]), &[&id]);
    // The programs are the ones that were loaded at the beginning.
    assert_eq!(scene.attached(), before);

    let history = exempt(&scene, &["history", &id]).stdout;
    let lines: Vec<_> = history.lines().collect();
    assert_eq!(lines.len(), 2, "{history}");
    assert!(lines[0].contains("  root  added  "), "{history}");
    assert!(lines[1].contains("  root  removed  "), "{history}");
    assert!(lines[1].ends_with("; reason: contract ended"), "{history}");
    assert!(listed(&scene, &[]).is_empty());
    assert_eq!(ids(&listed(&scene, &["--all"])), [&id]);
}

#[test]
fn what_is_probably_a_slip_is_refused_with_what_to_write() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&SMALL.replace("198.51.100.0/24", "198.51.96.0/20")));
    let add_one = |words: &[&str]| exempt(&scene, &[&["add", "--customer", "Example KK"], words].concat());
    assert_refused(
        &add_one(&["198.51.100.9/29"]),
        &["198.51.100.9/29", "198.51.100.8/29"],
    );
    assert_refused(&add_one(&["customer"]), &["customer"]);
    assert_refused(&add_one(&["192.0.2.8/29"]), &["192.0.2.8/29", "pool", "--force"]);
    assert_refused(&add_one(&["198.51.100.0/23"]), &["198.51.100.0/23", "/24"]);
    assert_refused(
        &add_one(&["198.51.100.8/29", "--expires", "2020-01-01"]),
        &["2020-01-01"],
    );
    assert_refused(&add_one(&["198.51.100.8/29", "--expires", "soon"]), &["soon"]);
    for mask in ["198.51.100.40/255.255.255.248", "198.51.100.40 0.0.0.7"] {
        assert_refused(&add_one(&[mask]), &["mask", "write 198.51.100.40/29\n"]);
    }
    assert_refused(
        &add_one(&["198.51.100.8/29", "--expires", "31.03.2028"]),
        &["write 2028-03-31\n"],
    );
    for (option, text, place) in [
        (
            "--note",
            "a\u{202e}b",
            "`note` contains a bidirectional control character (U+202E) at character 2",
        ),
        (
            "--ticket",
            "OPS\u{1b}[2J",
            "`ticket` contains a control character (U+001B) at character 4",
        ),
        (
            "--ticket",
            "OPS\u{200b}",
            "`ticket` contains an invisible character (U+200B) at character 4",
        ),
    ] {
        assert_refused(&add_one(&["198.51.100.8/29", option, text]), &[place]);
    }
    assert!(listed(&scene, &["--all"]).is_empty());

    let forced = add_one(&["192.0.2.8/29", "--force"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    assert_eq!(listed(&scene, &[])[0]["prefixes"][0], "192.0.2.8/29");

    let both = add_one(&["198.51.100.24/29, 198.51.100.32/29", "--note", "moves\r\nsoon"]);
    assert_eq!(both.code, Some(0), "{both:?}");
    let both = listed(&scene, &["--in", "198.51.100.32"]);
    assert_eq!(
        both[0]["prefixes"],
        json!(["198.51.100.24/29", "198.51.100.32/29"])
    );
    assert_eq!(both[0]["note"], "moves\nsoon");

    let id = add(&scene, &["198.51.100.8/29"], &[]);
    let other = exempt(&scene, &["add", "198.51.100.8/30", "--customer", "Other"]);
    // Whether or not that is accepted, the present holder is named.
    assert!(
        other.stderr.contains("Example KK") && other.stderr.contains(&id),
        "{other:?}"
    );
}

#[test]
fn an_exemption_of_the_policy_file_is_listed_and_only_an_edit_changes_it() {
    let scene = Scene::new();
    let policy = scene.policy(&format!("{SMALL}{FILED}"));
    let _filter = scene.filter(&policy);
    let id = add(&scene, &["198.51.100.8/29"], &[]);
    let list = listed(&scene, &[]);
    assert_eq!(ids(&list), ["line-7", &id]);
    assert_eq!(
        (&list[0]["origin"], &list[1]["origin"]),
        (&"policy".into(), &"store".into())
    );
    let table = exempt(&scene, &["list"]).stdout;
    let ends: Vec<_> = table
        .lines()
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(ends, ["FROM", "policy.yaml:7", "store"], "{table}");
    assert_eq!(ids(&listed(&scene, &["--in", "198.51.100.66"])), ["line-7"]);

    let place = format!("{}:7", policy.display());
    for words in [
        &["remove", "line-7", "--reason", "x"][..],
        &["extend", "line-7", "--expires", "90d"],
    ] {
        assert_refused(&exempt(&scene, words), &[&place]);
    }
    assert_eq!(listed(&scene, &[]).len(), 2);
}

#[test]
fn a_stored_exemption_survives_reloads_crashes_and_restarts() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let id = add(&scene, &SUBSCRIBER, &[]);

    scene.policy(&SMALL.replace("residential", "homes"));
    filter.reload().unwrap();
    scene.assert_open(&servers);

    filter.leave_by(Signal::SIGKILL).unwrap();
    scene.assert_open(&servers);
    let filter = scene.filter(&policy);
    scene.assert_open(&servers);
    assert_eq!(ids(&listed(&scene, &[])), [&id]);

    // Also one that has to load everything anew.
    filter.stop().unwrap();
    let filter: Filter = scene.filter(&policy);
    scene.assert_open(&servers);
    assert_eq!(exempt(&scene, &["remove", &id, "--reason", "done"]).code, Some(0));
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn an_exemption_ends_by_itself_and_can_be_extended() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    let id = add_for(&scene, "2s", &SUBSCRIBER);
    assert_silent(&scene, &servers);
    assert!(filter.count("blocked").unwrap() > 0);
    assert!(listed(&scene, &[]).is_empty());
    assert_eq!(listed(&scene, &["--all"])[0]["state"], "expired");

    let soon = exempt(&scene, &["extend", &id, "--expires", "6m"]);
    assert!(soon.stdout.contains(" (in 6 minutes)\n"), "{soon:?}");
    assert!(
        soon.stderr
            .contains("warning: this exemption ends in 6 minutes, at ")
            && soon
                .stderr
                .ends_with("warning: 6m is 6 minutes: for 6 months write 6mo\n"),
        "{soon:?}"
    );
    let extended = exempt(
        &scene,
        &["extend", &id, "--expires", "90d", "--reason", "renewed"],
    );
    assert_eq!(extended.code, Some(0), "{extended:?}");
    assert!(extended.stdout.contains(" (in 90 days)\n"), "{extended:?}");
    assert!(
        extended.stdout.ends_with(" port 25: pass (exempt)\n"),
        "{extended:?}"
    );
    scene.assert_open(&servers);
    assert_eq!(ids(&listed(&scene, &["--expiring", "91d"])), [&id]);
    assert!(listed(&scene, &["--expiring", "14d"]).is_empty());
    let history = exempt(&scene, &["history", &id]).stdout;
    let last = history.lines().last().unwrap();
    assert!(
        last.contains("  extended  ") && last.contains(": ends 20"),
        "{history}"
    );
    assert!(
        last.contains(" -> 20") && last.ends_with("; reason: renewed"),
        "{history}"
    );
}

#[test]
fn without_a_daemon_nothing_changes_and_everything_is_still_shown() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(&format!("{SMALL}{FILED}")));
    let id = add(&scene, &SUBSCRIBER, &[]);
    filter.leave_by(Signal::SIGKILL).unwrap();

    for words in [
        &["add", "198.51.100.16/29", "--customer", "Other"][..],
        &["remove", &id, "--reason", "x"],
        &["extend", &id, "--expires", "90d"],
    ] {
        let answer = exempt(&scene, words);
        let line = answer.refusal();
        assert!(line.contains("nothing was changed"), "{line}");
        assert!(line.contains("`op25b run --policy FILE`"), "{line}");
    }
    let list = exempt(&scene, &["list", "--json"]);
    assert!(list.stderr.contains("no daemon runs"), "{list:?}");
    assert_eq!(ids(&listed(&scene, &[])), ["line-7", &id]);
    assert_eq!(exempt(&scene, &["show", &id]).code, Some(0));
    assert_eq!(exempt(&scene, &["show", "line-7"]).code, Some(0));
    assert_eq!(exempt(&scene, &["history"]).stdout.lines().count(), 1);
    scene.assert_open(&servers);
    let explained = scene.op25b(&["explain", "--src", SUBSCRIBER[0]]);
    assert!(
        explained.stdout.contains("  reason   exempt\n") && explained.stdout.contains(&id),
        "{explained:?}"
    );
    // A file that differs by now is not shown as what is enforced.
    scene.policy(SMALL);
    let list = exempt(&scene, &["list", "--json"]);
    assert_eq!(ids(list.json()["exemptions"].as_array().unwrap()), [&id]);
    assert!(
        list.stderr.contains("has been changed since it was loaded"),
        "{list:?}"
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn an_import_is_done_whole_or_not_at_all_and_once() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    let file = scene.path("customers.csv");
    let path = file.to_str().unwrap();
    let header = "customer,prefixes,ticket,expires\n";
    let good = format!(
        "{header}Example KK,198.51.100.10 2001:db8:100::10,OPS-1042,\nOther,198.51.100.16/29,,2100-03-31\n"
    );

    fs::write(
        &file,
        format!("{good}Third,198.51.100.9/29,,\nFourth,198.51.100.24/29,,90d\n"),
    )
    .unwrap();
    let refused = exempt(&scene, &["import", path]);
    assert_refused(
        &refused,
        &[&format!("{path}:4: "), "198.51.100.8/29", &format!("{path}:5: ")],
    );
    assert!(listed(&scene, &["--all"]).is_empty());
    scene.assert_blocked(&servers, &filter);

    fs::write(&file, &good).unwrap();
    for (words, output) in [
        (
            &["import", "--dry-run", path][..],
            "would add 2; 0 exist already\n",
        ),
        (&["import", path], "added 2; 0 existed already\nbatch 0"),
        (&["import", path], "added 0; 2 existed already\n"),
    ] {
        let answer = exempt(&scene, words);
        assert_eq!(
            (answer.code, answer.stdout.starts_with(output)),
            (Some(0), true),
            "{answer:?}"
        );
    }
    scene.assert_open(&servers);
    assert_eq!(listed(&scene, &[]).len(), 2);

    for format in ["csv", "yaml", "json"] {
        let exported = exempt(&scene, &["export", "--format", format]).stdout;
        let copy = scene.path(&format!("copy.{format}"));
        fs::write(&copy, exported).unwrap();
        let again = exempt(&scene, &["import", copy.to_str().unwrap()]);
        assert_eq!(again.stdout, "added 0; 2 existed already\n", "{again:?}");
    }
    assert_eq!(exempt(&scene, &["history"]).stdout.lines().count(), 2);
}

/// An import of more rows than are changed in the generation that runs, under one key.
fn import_under_a_key(scene: &Scene) -> String {
    let rows: Vec<_> = (1..=300)
        .map(|number| {
            let prefix = format!("2001:db8:100:{number:x}::/64");
            json!({ "line": number, "exemption": { "customer": "Example KK", "prefixes": [prefix] } })
        })
        .collect();
    let body = json!({ "exemptions": rows }).to_string();
    let headers = format!(
        "Idempotency-Key: OPS-7\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    scene.send_daemon("POST /v1/exemptions/import", &headers, &body)
}

#[test]
fn an_import_is_enforced_where_the_filter_runs_although_one_interface_is_anothers() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let _foreign = ForeignProgram::instead_of(&filter, scene.router(), "sub0");
    let done = import_under_a_key(&scene);
    assert!(
        done.starts_with("HTTP/1.1 200 ") && done.contains("\"added\":300"),
        "{done}"
    );
    assert_eq!(scene.daemon_report()["exemptions"]["kernel_is_behind"], false);
    let explained = scene.op25b(&["explain", "--src", "2001:db8:100:12c::1"]);
    assert!(explained.stdout.contains("exempt"), "{explained:?}");
}

#[test]
fn what_cannot_be_enforced_is_taken_back_and_done_when_it_is_sent_again() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let read_only = ReadOnlyPins::new(&scene);

    // A repeated request does not do it either.
    for _ in 0..2 {
        let refused = import_under_a_key(&scene);
        assert!(
            refused.starts_with("HTTP/1.1 503 ") && refused.contains("nothing was changed"),
            "{refused}"
        );
        assert!(refused.contains("urn:op25b:problem:kernel-refused"), "{refused}");
        assert!(refused.to_lowercase().contains("\r\nretry-after: "), "{refused}");
        assert!(listed(&scene, &[]).is_empty());
    }

    drop(read_only);
    for _ in 0..2 {
        let done = import_under_a_key(&scene);
        assert!(
            done.starts_with("HTTP/1.1 200 ") && done.contains("\"added\":300"),
            "{done}"
        );
        assert_eq!(listed(&scene, &["--customer", "Example KK"]).len(), 300);
    }
    let explained = scene.op25b(&["explain", "--src", "2001:db8:100:12c::1"]);
    assert!(explained.stdout.contains("exempt"), "{explained:?}");
}

#[test]
fn a_change_whose_verdict_cannot_be_shown_is_done_and_answered_as_done() {
    let scene = Scene::new();
    // Every sample destination is a relay's.
    let relays = "relays: [{ name: all, prefixes: [203.0.113.0/24] }]\n";
    let _filter = scene.filter(&scene.policy(&format!("{SMALL}{relays}")));
    let added = exempt(&scene, &["add", "198.51.100.10", "--customer", "Example KK"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let id = added.stdout.lines().next().unwrap();
    assert!(
        added.stderr.contains("the change is stored and enforced"),
        "{added:?}"
    );
    assert_eq!(ids(&listed(&scene, &[])), [id]);
    let explain = ["explain", "--src", "198.51.100.10", "--dst", "192.0.2.25"];
    let explained = scene.op25b(&explain);
    assert!(explained.stdout.contains("exempt"), "{explained:?}");
    let removed = exempt(&scene, &["remove", id, "--reason", "contract ended", "--json"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(removed.json()["verdict"].is_null(), "{removed:?}");
    assert!(scene.op25b(&explain).stdout.contains("blocked"));
}
