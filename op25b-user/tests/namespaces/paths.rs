//! Every path through the lab, without a filter, with one, and after it.

use std::time::Duration;

use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::{Path, Verdict, What},
};

use crate::support::scene::{PATIENCE, SILENCE, Scene, lab_policy};

/// A single crafted frame is there at once or never.
const GLIMPSE: Duration = Duration::from_millis(500);

fn cells() -> impl Iterator<Item = (Path, Family, Verdict)> {
    Path::ALL
        .into_iter()
        .flat_map(|(path, verdict)| Family::BOTH.map(|family| (path, family, verdict)))
}

fn try_all(scene: &Scene, servers: &Servers, patience: impl Fn(Verdict) -> Duration) -> Vec<Outcome> {
    let attempts: Vec<_> = cells()
        .map(|(path, family, verdict)| (path, family, patience(verdict)))
        .collect();
    Path::attempt_all(&attempts, &scene.lab, servers, || {}).unwrap()
}

fn assert_all_work(scene: &Scene, servers: &Servers) {
    let outcomes = try_all(scene, servers, |_| PATIENCE);
    for ((path, family, _), outcome) in cells().zip(outcomes) {
        assert_eq!(outcome, Outcome::Works, "{path} {}", family.name());
    }
}

/// A frame that does not arrive may be lost; one that is counted as blocked is not.
fn assert_each_crafted_frame_is_counted_once(scene: &Scene, servers: &Servers, filter: &Filter) {
    let blocked = cells()
        .filter(|(path, _, verdict)| matches!(path.what, What::Crafted(_)) && *verdict == Verdict::Blocked);
    for (path, family, _) in blocked {
        let before = filter.count("blocked").unwrap();
        let outcome = path.attempt(&scene.lab, servers, family, GLIMPSE).unwrap();
        assert_eq!(outcome, Outcome::Silence, "{path} {}", family.name());
        assert_eq!(filter.count("blocked").unwrap(), before + 1, "{path}");
    }
}

#[test]
fn every_path_works_before_and_after_the_filter_and_follows_the_policy_with_it() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    assert_all_work(&scene, &servers);

    let filter = scene.filter(&lab_policy());
    let native = |name: &str| (name.to_owned(), "native");
    let mut modes = scene.modes();
    modes.sort();
    assert_eq!(modes, ["access0", "corp0", "sub0"].map(native));
    let outcomes = try_all(&scene, &servers, |verdict| match verdict {
        Verdict::Works => PATIENCE,
        Verdict::Blocked => SILENCE,
    });
    for ((path, family, verdict), outcome) in cells().zip(outcomes) {
        let expected = match verdict {
            Verdict::Works => Outcome::Works,
            Verdict::Blocked => Outcome::Silence,
        };
        assert_eq!(outcome, expected, "{path} {}", family.name());
    }
    for reason in ["blocked", "relay", "exempt"] {
        assert!(filter.count(reason).unwrap() > 0, "{reason}");
    }
    for reason in ["uninspectable", "not_pooled", "established", "monitored"] {
        assert_eq!(filter.count(reason).unwrap(), 0, "{reason}");
    }
    assert_each_crafted_frame_is_counted_once(&scene, &servers, &filter);
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    assert_all_work(&scene, &servers);
}
