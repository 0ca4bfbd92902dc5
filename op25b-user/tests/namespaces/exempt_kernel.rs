//! Exemptions that the kernel does not enforce: what does not fit, and what it refuses for a while.

use std::{fs, net::IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use nix::mount::{MsFlags, mount};
use op25b::{
    exemption::Terms,
    store::{Actor, Change, ChangeKind, Commit, Record, Store as _, sqlite},
};
use serde_json::{Value, json};
use ulid::Generator;

use crate::support::scene::{Answer, SMALL, Scene, eventually};

fn exempt(scene: &Scene, words: &[&str]) -> Answer {
    scene.op25b(&[&["exempt"][..], words].concat())
}

fn add(scene: &Scene, prefix: &str, customer: &str) -> Answer {
    exempt(scene, &["add", prefix, "--customer", customer])
}

/// The id of an exemption that was added.
#[track_caller]
fn id(answer: &Answer) -> String {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout.lines().next().unwrap().to_owned()
}

#[track_caller]
fn assert_verdict(scene: &Scene, source: &str, verdict: &str) {
    let answer = scene.op25b(&["explain", "--src", source, "--json"]);
    assert_eq!(answer.json()["verdict"], verdict, "{answer:?}");
}

/// The prefix of one customer, and an address in it.
const AROUND: &str = "2001:db8:100::/48";
const INSIDE: &str = "2001:db8:100:10::25";

/// Exemptions of one customer that need too many destination entries together: many around many.
fn nested() -> Vec<Terms> {
    let restricted = |number: u32, prefix: String, destinations: u32| Terms {
        destinations: (0..destinations)
            .map(|at| IpNet::from(IpAddr::V4((0xCB00_0000 + number * 256 + at).into())))
            .collect(),
        ..Terms::new("Nested", [prefix.parse().unwrap()])
    };
    let around = (0..65).map(|number| restricted(number, AROUND.to_owned(), 256));
    let inside = (0..256).map(|number| restricted(100 + number, format!("2001:db8:100:{number:x}::/64"), 1));
    around.chain(inside).collect()
}

fn rows(terms: &[Terms]) -> Value {
    let texts = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    let exemptions = terms.iter().map(|terms| {
        json!({
            "customer": terms.customer, "prefixes": texts(&terms.prefixes),
            "destinations": texts(&terms.destinations),
        })
    });
    json!({ "exemptions": exemptions.collect::<Vec<_>>() })
}

/// The message of the daemon's fault of a kind.
fn fault(scene: &Scene, kind: &str) -> Option<String> {
    let report = scene.daemon_report();
    let mut faults = report["faults"].as_array().unwrap().iter();
    let fault = faults.find(|fault| fault["kind"] == kind)?;
    Some(fault["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_removal_after_which_the_others_do_not_fit_is_refused_before_it_is_stored() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    // One without destinations around them makes the destinations superfluous.
    let around = id(&add(&scene, AROUND, "Nested"));
    let file = scene.path("nested.json");
    fs::write(&file, rows(&nested()).to_string()).unwrap();
    let imported = exempt(&scene, &["import", file.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");

    let refused = exempt(&scene, &["remove", &around, "--reason", "contract ended"]);
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(1), ""),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains("nothing was changed") && refused.stderr.contains("destination entries"),
        "{refused:?}"
    );
    assert_eq!(
        exempt(&scene, &["show", &around, "--json"]).json()["state"],
        "active"
    );
    assert_verdict(&scene, INSIDE, "pass");

    // Every later change, a reload and a restart work.
    let other = id(&add(&scene, "198.51.100.200", "Other"));
    let removed = exempt(&scene, &["remove", &other, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    filter.stop().unwrap();
    let _filter = scene.filter(&policy);
    assert_verdict(&scene, INSIDE, "pass");
    assert_eq!(fault(&scene, "exemptions_left_out"), None);
}

#[test]
fn a_start_enforces_the_exemptions_that_fit_and_names_the_others() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    // A store that no change leads to any more, as an earlier version left it.
    let [.., (_, state)] = scene.router().places();
    fs::create_dir_all(&state).unwrap();
    let mut ids = Generator::new();
    let by = Actor {
        uid: 0,
        name: "root".to_owned(),
    };
    let mut terms = nested();
    terms.push(Terms::new("Other", ["198.51.100.200/32".parse().unwrap()]));
    let changes = terms.into_iter().map(|terms| Change {
        action: ChangeKind::Add,
        before: None,
        after: Record::new(ids.generate().unwrap(), terms, Timestamp::now(), by.clone()),
    });
    let commit = Commit {
        at: Timestamp::now(),
        by: by.clone(),
        reason: None,
        changes: changes.collect(),
        request: None,
        taken_back: None,
    };
    sqlite::open(&state).store.commit(&commit).unwrap();

    let filter = scene.filter(&policy);
    assert_verdict(&scene, "198.51.100.200", "pass");
    assert_verdict(&scene, INSIDE, "drop");
    let message = fault(&scene, "exemptions_left_out").unwrap();
    let first = commit.changes[0].after.id.to_string();
    assert!(
        message.starts_with("321 stored exemptions ") && message.contains(&first),
        "{message}"
    );
    assert!(filter.log().contains("ARE NOT ENFORCED"), "{}", filter.log());

    // A reload does the same, and says so; and a command repairs it.
    let reloaded = scene.op25b(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    assert!(reloaded.stderr.contains("321 stored exemptions "), "{reloaded:?}");
    id(&add(&scene, AROUND, "Nested"));
    eventually("all are enforced", || {
        fault(&scene, "exemptions_left_out").is_none()
    });
    assert_verdict(&scene, INSIDE, "pass");
    let removed = exempt(&scene, &["remove", &first, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
}

/// While it lives, nothing can be pinned, so that no generation is loaded.
pub struct ReadOnlyPins(std::path::PathBuf);

impl ReadOnlyPins {
    pub fn new(scene: &Scene) -> Self {
        let [(_, pins), ..] = scene.router().places();
        remount(&pins, MsFlags::MS_RDONLY);
        Self(pins)
    }
}

impl Drop for ReadOnlyPins {
    fn drop(&mut self) {
        remount(&self.0, MsFlags::empty());
    }
}

fn remount(place: &std::path::Path, flags: MsFlags) {
    let flags = MsFlags::MS_REMOUNT | flags;
    mount(None::<&str>, place, None::<&str>, flags, None::<&str>).unwrap();
}

#[test]
fn while_no_generation_can_be_loaded_exemptions_are_added_and_removed_all_the_same() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let before = id(&add(&scene, "198.51.100.10", "Example KK"));
    let read_only = ReadOnlyPins::new(&scene);

    let many: Vec<_> = (1..=300)
        .map(|number| {
            let prefix = format!("2001:db8:100:{number:x}::/64");
            Terms::new("Many", [prefix.parse().unwrap()])
        })
        .collect();
    let file = scene.path("many.json");
    fs::write(&file, rows(&many).to_string()).unwrap();
    let refused = exempt(&scene, &["import", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("nothing was changed"), "{refused:?}");
    let report = scene.daemon_report();
    assert_eq!(report["exemptions"]["kernel_is_behind"], false, "{report}");
    assert_eq!(report["exemptions"]["stored"], 1);

    id(&add(&scene, "198.51.100.20", "Other"));
    assert_verdict(&scene, "198.51.100.20", "pass");
    let removed = exempt(&scene, &["remove", &before, "--reason", "a spammer"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_verdict(&scene, "198.51.100.10", "drop");

    drop(read_only);
    let imported = exempt(&scene, &["import", file.to_str().unwrap()]);
    let said = imported.stdout.strip_suffix(
        "the exemptions needed a new generation of the filter: loaded, no packet was judged by half of it\n",
    );
    let said = said.unwrap_or_else(|| panic!("{imported:?}"));
    let batch = said.strip_prefix("added 300; 0 existed already\nbatch ");
    let batch = batch.unwrap_or_else(|| panic!("{imported:?}")).trim_end();
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    assert_verdict(&scene, "198.51.100.10", "drop");

    // All of the import go again, by a generation of its own; the other exemption stays.
    assert_verdict(&scene, "2001:db8:100:7::7", "pass");
    let removed = exempt(&scene, &["remove", "--batch", batch, "--reason", "wrong file"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(
        removed.stdout.starts_with("removed 300 exemptions:\n") && removed.stdout.contains("and 280 more"),
        "{removed:?}"
    );
    assert_verdict(&scene, "2001:db8:100:7::7", "drop");
    assert_verdict(&scene, "198.51.100.20", "pass");
}
