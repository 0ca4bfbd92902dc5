//! The file of the control socket: it is where clients look for it, whatever happens to it.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
    path::PathBuf,
};

use nix::sys::signal::Signal;

use crate::support::scene::{SMALL, Scene, eventually};

fn socket(scene: &Scene) -> PathBuf {
    let [_, (_, runtime_dir), _] = scene.router().places();
    runtime_dir.join("control.sock")
}

fn is_answered(scene: &Scene) -> bool {
    scene.op25b(&["reload", "--dry-run"]).code == Some(0)
}

#[test]
fn a_socket_that_is_removed_or_replaced_is_made_again() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let socket = socket(&scene);
    let before = fs::metadata(&socket).unwrap();
    fs::remove_file(&socket).unwrap();
    eventually("there is a new socket", || is_answered(&scene));
    let after = fs::metadata(&socket).unwrap();
    for metadata in [&before, &after] {
        assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    }
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
    // One that nobody listens at any more.
    fs::remove_file(&socket).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    eventually("it is replaced", || is_answered(&scene));
    // The whole directory.
    fs::remove_dir_all(socket.parent().unwrap()).unwrap();
    eventually("the directory is made", || is_answered(&scene));
    assert_eq!(scene.daemon_report()["faults"], serde_json::json!([]));
    let names = fs::read_dir(socket.parent().unwrap()).unwrap();
    assert_eq!(names.count(), 1, "nothing else is left");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_another_process_listens_at_is_left_alone() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let socket = socket(&scene);
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    eventually("it is a fault", || {
        filter.log().contains("another op25b listens at")
    });
    let metrics = filter.log();
    assert!(metrics.contains("control_socket"), "{metrics}");
    drop(other);
    eventually("there is a socket again", || is_answered(&scene));
    // What is not the daemon's own it does not remove at its end.
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    filter.signal(Signal::SIGTERM).unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert!(socket.exists());
    drop(other);
}
