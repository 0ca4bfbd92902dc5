//! The filter outlives whatever ends its daemon; only `op25b stop --detach` ends the filter, and leaves no trace.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf};

use aya::programs::loaded_programs;
use nix::sys::signal::Signal;
use op25b_testlab::lab::Servers;

use crate::support::scene::{SMALL, Scene, eventually};

/// Where the scene's op25b pins.
fn pins(scene: &Scene) -> PathBuf {
    let [(_, pins), ..] = scene.router().places();
    pins
}

/// The ids of the attached programs that are loaded.
fn is_loaded(id: u32) -> bool {
    // Other tests' programs may go while they are listed.
    loaded_programs()
        .filter_map(Result::ok)
        .any(|loaded| loaded.id() == id)
}

/// The state of the filter in `op25b status`.
fn state(scene: &Scene) -> String {
    let status = scene.op25b(&["status", "--json"]).json();
    let state = status["filters"][0]["state"].as_str();
    state.unwrap_or("not_enforcing").to_owned()
}

#[test]
fn no_signal_ends_the_filter_and_status_shows_it_without_a_daemon() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    for (signal, code) in [
        (Signal::SIGINT, Some(0)),
        (Signal::SIGTERM, Some(0)),
        (Signal::SIGKILL, None),
    ] {
        let filter = scene.filter(&policy);
        assert_eq!(state(&scene), "enforcing");
        let attached = scene.attached();
        assert_eq!(attached.len(), 2);
        let status = filter.leave_by(signal).unwrap();
        assert_eq!(status.code(), code, "{signal}");
        assert_eq!(scene.attached(), attached, "{signal}");
        assert_eq!(state(&scene), "enforcing_alone");
        let text = scene.op25b(&["status"]);
        assert_eq!(text.code, Some(0));
        assert!(
            text.stdout
                .starts_with("enforcing on 2 interfaces, and no daemon runs\n"),
            "{text:?}"
        );
        assert!(
            text.stdout.contains("\n  daemon      none; last process "),
            "{text:?}"
        );
        scene.assert_blocked_by_someone(&servers);
    }
}

#[test]
fn the_next_run_takes_over_and_goes_on_counting() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let first = scene.filter(&policy);
    scene.assert_blocked(&servers, &first);
    let counted = first.count("blocked").unwrap();
    let before = scene.attached();
    first.leave_by(Signal::SIGKILL).unwrap();

    let second = scene.filter(&policy);
    assert!(second.log().contains("taking over a filter"), "{}", second.log());
    let after = scene.attached();
    let places = |attached: &[(String, &'static str, u32)]| {
        let places = attached.iter().map(|(name, mode, _)| (name.clone(), *mode));
        places.collect::<Vec<_>>()
    };
    assert_eq!(places(&after), places(&before));
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before.2 != after.2)
    );
    eventually("the one before is unloaded", || !is_loaded(before[0].2));
    assert!(second.count("blocked").unwrap() >= counted);
    scene.assert_blocked(&servers, &second);
    // One generation, and one link for each interface.
    let names = |part: &str| {
        let entries = std::fs::read_dir(pins(&scene).join(part)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("links"), ["corp0", "sub0"]);
    assert_eq!(names("generations"), [after[0].2.to_string()]);
    assert_eq!(second.stop().unwrap().code(), Some(0));
}

#[test]
fn stop_with_detach_removes_every_trace_whether_or_not_a_daemon_runs() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    for runs in [true, false] {
        let filter = scene.filter(&policy);
        let pid = filter.pid();
        let (_, _, program) = scene.attached()[0];
        scene.assert_blocked(&servers, &filter);
        let filter = if runs {
            Some(filter)
        } else {
            filter.leave_by(Signal::SIGKILL).unwrap();
            None
        };
        let answer = scene.op25b(&["stop", "--detach"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        let mut lines: Vec<_> = answer.stdout.lines().collect();
        if runs {
            assert_eq!(lines.remove(0), format!("the daemon, process {pid}, has ended"));
        }
        // One for each family.
        let kept = "wrote the counters and the records of 2 subscribers to ";
        let path = lines.remove(0).strip_prefix(kept).unwrap().to_owned();
        assert_eq!(lines, ["detached from corp0, sub0: nothing is blocked any more"]);
        assert_kept(&path);
        assert_eq!(scene.attached(), []);
        // The kernel may have files of its own at the root of a BPF file system.
        let mut left = std::fs::read_dir(pins(&scene)).unwrap();
        assert!(left.all(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".debug")));
        eventually("the program is unloaded", || !is_loaded(program));
        assert_eq!(state(&scene), "not_enforcing");
        scene.assert_open(&servers);
        drop(filter);

        let again = scene.op25b(&["stop", "--detach"]);
        assert_eq!(again.code, Some(0), "{again:?}");
        assert_eq!(again.stdout, "removed the pins; no filter was attached\n");
    }
}

/// Asserts that what a filter had counted is in a file that only root reads.
fn assert_kept(path: &str) {
    assert_eq!(
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (&kept["schema"], &kept["by"]["name"]),
        (&"op25b.detached/1".into(), &"root".into())
    );
    let [filter] = &kept["filters"].as_array().unwrap()[..] else {
        panic!("{kept}")
    };
    let mut interfaces: Vec<_> = filter["interfaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    interfaces.sort_unstable();
    assert_eq!(interfaces, ["corp0", "sub0"]);
    assert!(filter["counters"]["blocked"].as_u64().unwrap() > 0, "{kept}");
    let subscribers = filter["subscribers"]["subscribers"].as_array().unwrap();
    assert!(
        subscribers
            .iter()
            .any(|row| row["subscriber"].as_str().unwrap().starts_with("198.51.100.10")),
        "{kept}"
    );
}

#[test]
fn stop_with_detach_goes_on_over_what_is_not_of_a_filter_and_names_it() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let pins = pins(&scene);
    let filter = scene.filter(&policy);
    let generation = std::fs::read_dir(pins.join("generations"))
        .unwrap()
        .next()
        .unwrap();
    let generation = generation.unwrap().path();
    let map = std::fs::read_dir(&generation)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    // A BPF file system takes directories, symbolic links and names of BPF objects.
    let strays = [
        pins.join("links/directory"),
        pins.join("links/symlink"),
        pins.join("stray"),
        generation.join("directory"),
    ];
    std::fs::create_dir(&strays[0]).unwrap();
    std::os::unix::fs::symlink(&map, &strays[1]).unwrap();
    std::os::unix::fs::symlink("nowhere", &strays[2]).unwrap();
    std::fs::create_dir(&strays[3]).unwrap();
    std::os::unix::fs::symlink("nowhere", strays[3].join("deep")).unwrap();
    // They are in nobody's way before that.
    filter.reload().unwrap();
    filter.leave_by(Signal::SIGKILL).unwrap();
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);

    let answer = scene.op25b(&["stop", "--detach"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.stdout.contains("detached from corp0, sub0"), "{answer:?}");
    for left in ["links/symlink", "stray", "directory/deep"] {
        assert!(answer.stderr.contains(left), "{left}: {answer:?}");
    }
    assert_eq!(scene.attached(), []);
    scene.assert_open(&servers);
    // The next start is not kept from anything either.
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn stop_says_that_the_filter_still_enforces_and_a_full_disk_does_not_keep_it_from_being_detached() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let attached = scene.attached();
    let answer = scene.op25b(&["stop"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let still = "the filter STILL ENFORCES on corp0, sub0; `op25b stop --detach` removes it\n";
    let expected = format!("the daemon, process {}, has ended\n{still}", filter.pid());
    assert_eq!(answer.stdout, expected);
    assert_eq!(scene.attached(), attached);
    let again = scene.op25b(&["stop"]);
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(
        again.stdout.starts_with("no daemon is running at ") && again.stdout.ends_with(still),
        "{again:?}"
    );

    // The state directory takes nothing: a file is in its place.
    let [.., (_, state)] = scene.router().places();
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::write(&state, "").unwrap();
    let detached = scene.op25b(&["stop", "--detach"]);
    std::fs::remove_file(&state).unwrap();
    assert_eq!(detached.code, Some(0), "{detached:?}");
    assert!(
        detached.stderr.contains("are lost: cannot write ")
            && detached.stderr.contains("detaching all the same"),
        "{detached:?}"
    );
    assert_eq!(scene.attached(), []);
    let last = scene.op25b(&["stop"]);
    assert_eq!(last.code, Some(3), "{last:?}");
    assert!(
        last.stdout.contains("\nno filter of ") && last.stdout.ends_with(" runs: nothing is blocked\n"),
        "{last:?}"
    );
}

#[test]
fn where_nothing_was_ever_pinned_there_is_nothing_to_stop() {
    let scene = Scene::new();
    for arguments in [&["stop"][..], &["stop", "--detach"]] {
        let answer = scene.op25b(arguments);
        assert_eq!(answer.code, Some(3), "{answer:?}");
        assert!(!pins(&scene).exists());
    }
}
