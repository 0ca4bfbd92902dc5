//! `op25b run --watch`: every way to change the policy file is noticed, and no half of one is enforced.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use op25b_testlab::filter::Filter;

use crate::support::scene::{SMALL, Scene, eventually, reloads};

/// Longer than a change is waited for to be complete.
const PAUSE: Duration = Duration::from_millis(600);

/// The policy with another name for its pool.
fn named(pool: &str) -> String {
    SMALL.replace("residential", pool)
}

/// The name of the pool that is enforced.
fn enforced(scene: &Scene) -> String {
    let status = scene.op25b(&["status", "--json"]).json();
    status["filters"][0]["pools"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn assert_follows(scene: &Scene, pool: &str) {
    eventually(pool, || enforced(scene) == pool);
}

fn watched(scene: &Scene, policy: &Path) -> Filter {
    scene.filter_with(policy, &["--watch"], &[])
}

/// Makes a link anew, in one step.
fn point(link: &Path, target: &str) {
    let draft = link.with_extension("new");
    symlink(target, &draft).unwrap();
    fs::rename(&draft, link).unwrap();
}

#[test]
fn a_link_in_the_middle_of_the_way_is_followed_when_it_is_pointed_elsewhere_and_after_that() {
    let scene = Scene::new();
    for (release, pool) in [("1", "one"), ("2", "two")] {
        let policies = scene.path("releases").join(release).join("policies");
        fs::create_dir_all(&policies).unwrap();
        fs::write(policies.join("policy.yaml"), named(pool)).unwrap();
    }
    let current = scene.path("current");
    symlink("releases/1", &current).unwrap();
    // As a ConfigMap's file: a link to a link to a directory.
    let policy = scene.path("policy.yaml");
    symlink("current/policies/policy.yaml", &policy).unwrap();
    let _filter = watched(&scene, &policy);
    assert_eq!(enforced(&scene), "one");
    point(&current, "releases/2");
    assert_follows(&scene, "two");
    let edited = scene.path("releases").join("2/policies/policy.yaml");
    fs::write(edited, named("three")).unwrap();
    assert_follows(&scene, "three");
    fs::write(scene.path("elsewhere.yaml"), named("four")).unwrap();
    point(&policy, "elsewhere.yaml");
    assert_follows(&scene, "four");
    fs::write(scene.path("elsewhere.yaml"), named("five")).unwrap();
    assert_follows(&scene, "five");
}

#[test]
fn a_directory_that_is_replaced_is_watched_again() {
    let scene = Scene::new();
    let folder = scene.path("etc/op25b");
    let policy = folder.join("policy.yaml");
    fs::create_dir_all(&folder).unwrap();
    fs::write(&policy, named("one")).unwrap();
    let _filter = watched(&scene, &policy);
    let next = scene.path("etc/next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("policy.yaml"), named("two")).unwrap();
    fs::rename(&folder, scene.path("etc/old")).unwrap();
    fs::rename(&next, &folder).unwrap();
    assert_follows(&scene, "two");
    fs::write(&policy, named("three")).unwrap();
    assert_follows(&scene, "three");
    // The whole way goes, and comes back.
    fs::remove_dir_all(scene.path("etc")).unwrap();
    thread::sleep(PAUSE);
    fs::create_dir_all(&folder).unwrap();
    fs::write(&policy, named("four")).unwrap();
    assert_follows(&scene, "four");
}

#[test]
fn a_file_that_is_written_slowly_in_place_is_enforced_only_when_it_is_whole() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = watched(&scene, &policy);
    let text = named("slow");
    // The first part is a policy by itself.
    let line = "relays: [{ name: mx, prefixes: [192.0.2.25/32] }]\n";
    let write = |mut file: File| {
        file.write_all(text.as_bytes()).unwrap();
        thread::sleep(PAUSE);
        assert_eq!(enforced(&scene), "residential");
        file.write_all(line.as_bytes()).unwrap();
        thread::sleep(PAUSE);
        assert_eq!(enforced(&scene), "residential");
    };
    write(File::create(&policy).unwrap());
    assert_follows(&scene, "slow");
    assert_eq!(
        scene.op25b(&["status", "--json"]).json()["filters"][0]["relays"],
        1
    );
    assert_eq!(reloads(&filter.log()), ["watch"]);
    // Through another name of the same file.
    let other = scene.path("other");
    fs::create_dir(&other).unwrap();
    fs::hard_link(&policy, other.join("name")).unwrap();
    fs::write(other.join("name"), named("linked")).unwrap();
    assert_follows(&scene, "linked");
}

#[test]
fn a_change_between_the_first_reading_and_the_watch_is_enforced() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    fs::remove_file(&policy).unwrap();
    mkfifo(&policy, Mode::S_IRWXU).unwrap();
    thread::scope(|threads| {
        threads.spawn(|| {
            // Open once the daemon reads, which ends only with the pipe: another file has the name by then.
            let mut pipe = OpenOptions::new().write(true).open(&policy).unwrap();
            pipe.write_all(named("one").as_bytes()).unwrap();
            let draft = scene.path("draft");
            fs::write(&draft, named("two")).unwrap();
            fs::rename(&draft, &policy).unwrap();
        });
        let _filter = watched(&scene, &policy);
        assert_follows(&scene, "two");
    });
}

#[test]
fn a_busy_directory_delays_no_change() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = watched(&scene, &policy);
    let spool = scene.path("spool");
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fs::write(&spool, "x").unwrap();
                // The policy itself is touched all the time as well.
                drop(OpenOptions::new().append(true).open(&policy).unwrap());
                thread::sleep(Duration::from_millis(1));
            }
        });
        let draft = scene.path("draft");
        fs::write(&draft, named("busy")).unwrap();
        fs::rename(&draft, &policy).unwrap();
        let follows =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert_follows(&scene, "busy")));
        is_over.store(true, Ordering::Relaxed);
        follows.unwrap();
    });
    assert_eq!(reloads(&filter.log()), ["watch"]);
}
