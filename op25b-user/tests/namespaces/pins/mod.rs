//! The pins: whose they are, how long they last, and what happens when they disappear or belong to somebody else.

mod descriptors;
mod lock;
mod network_namespace;
mod ownership;
mod persistence;
mod removal;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::scene::{OP25B, Scene};

/// A directory for pins that does not exist yet, in a BPF file system of the machine's mount namespace.
fn directory(scene: &Scene) -> PathBuf {
    scene.router().mount_pins().unwrap().join("op25b")
}

/// A path as a word of a command.
fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A copy of op25b that every user may run.
fn copy(scene: &Scene, name: &str) -> PathBuf {
    let to = scene.path(name);
    // By another process: a descriptor of the file that a test beside this one inherits would keep it from being run.
    let mut install = Command::new("install");
    let status = install.args(["-m", "0755", OP25B, word(&to)]).status();
    assert!(status.unwrap().success());
    to
}
