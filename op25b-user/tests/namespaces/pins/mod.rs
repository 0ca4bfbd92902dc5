//! The pins: whose they are, how long they last, and what happens when they disappear or belong to somebody else.

mod descriptors;
mod lock;
mod network_namespace;
mod ownership;
mod persistence;
mod removal;

use std::path::PathBuf;

use crate::support::scene::Scene;

/// A directory for pins that does not exist yet, in a BPF file system of the machine's mount namespace.
fn directory(scene: &Scene) -> PathBuf {
    scene.router().mount_pins().unwrap().join("op25b")
}

/// A path as a word of a command.
fn word(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}
