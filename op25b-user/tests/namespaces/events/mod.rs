//! `op25b events`: what is seen of single packets, from frames on the line to the terminal.

mod flood;
pub mod follower;
mod forwarded;
mod journal;
mod shown;

use serde_json::Value;

use crate::support::scene::{SMALL, Scene};

/// A policy with events.
fn with_events(events: &str) -> String {
    format!("{SMALL}events: {events}\n")
}

/// The document of `op25b events`.
#[track_caller]
fn page(scene: &Scene, words: &[&str]) -> Value {
    let answer = scene.op25b(&[&["events", "--json"], words].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let page = answer.json();
    assert_eq!(page["schema"], "op25b.events/1");
    page
}

/// Its events.
#[track_caller]
fn events(scene: &Scene, words: &[&str]) -> Vec<Value> {
    page(scene, words)["events"].as_array().unwrap().clone()
}
