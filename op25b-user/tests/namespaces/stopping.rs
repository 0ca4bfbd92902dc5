//! `op25b run` ends when told to, leaves nothing behind however it ends, and is not ended by a SIGHUP.

use aya::programs::loaded_programs;
use nix::sys::signal::Signal;
use xtask::lab::Servers;

use crate::scene::{SMALL, Scene, eventually};

#[test]
fn sigint_and_sigterm_end_it_with_0_and_detach_it_everywhere() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let filter = scene.filter(&policy);
        assert_eq!(scene.attached().len(), 2);
        let status = filter.stop_by(signal).unwrap();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(scene.attached(), [], "{signal}");
    }
}

#[test]
fn after_sigkill_nothing_stays_attached_or_loaded_and_everything_works() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    let (_, _, program) = scene.attached()[0];
    filter.kill().unwrap();
    eventually("nothing is attached", || scene.attached().is_empty());
    // A pinned program would stay loaded.
    eventually("the program is unloaded", || {
        // Other tests' programs may go while they are listed.
        let mut loaded = loaded_programs().filter_map(Result::ok);
        loaded.all(|loaded| loaded.id() != program)
    });
    scene.assert_open(&servers);
}

#[test]
fn a_sighup_is_answered_with_a_warning_and_changes_nothing() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let attached = scene.attached();
    filter.signal(Signal::SIGHUP).unwrap();
    eventually("there is a warning", || filter.log().contains("SIGHUP ignored"));
    assert_eq!(scene.attached(), attached);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
