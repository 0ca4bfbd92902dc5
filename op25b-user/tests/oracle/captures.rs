//! What real hosts sent: every captured frame gets the oracle's verdict, and the recorded one.
//!
//! `cargo xtask capture` records them in the lab: mail, pages, neighbour discovery, `QinQ` and `PPPoE`, and mail on lines with
//! other framing. Under the lab's policy, or that for these lines, each host's frames have their reasons, and their numbers
//! stand beside the capture.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use pcap_file::pcap::PcapReader;

use crate::{differential::Difference, expected, policy::Policy, program::Program, verdict::Role};

/// All of them together may have so many bytes in the repository.
const MOST_BYTES: u64 = 150 * 1024;

/// The captures under the lab's policy, and the program that these hosts' packets go through.
const HOSTS: [(&str, Role); 5] = [
    ("subscriber", Role::Subscriber),
    ("corporate", Role::Subscriber),
    ("pppoe", Role::Subscriber),
    ("internet", Role::Uplink),
    ("relay", Role::Uplink),
];

/// Those of customers' lines, each with a framing or a tunnel of its own, under a policy that names all of them.
const LINES: [(&str, Role); 6] = [
    ("line-pppoe", Role::Subscriber),
    ("line-tpid", Role::Subscriber),
    ("line-snap", Role::Subscriber),
    ("line-mpls", Role::Subscriber),
    ("line-eogre", Role::Subscriber),
    ("line-6in6", Role::Subscriber),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

fn file(name: &str) -> PathBuf {
    directory().join(name).with_extension("pcap")
}

fn frames(name: &str) -> Vec<Vec<u8>> {
    let mut reader =
        PcapReader::new(File::open(file(name)).expect("the capture is there")).expect("a capture");
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.expect("a whole capture").data.into_owned());
    }
    frames
}

/// Runs a capture under the lab's policy: how often each answer came.
fn replay(program: &mut Program, policy: &Policy, name: &str, role: Role) -> String {
    let mut counts = BTreeMap::<_, usize>::new();
    let frames = frames(name);
    for (number, frame) in (1..).zip(&frames) {
        if let Some(difference) = Difference::find(program, policy, role, frame) {
            panic!("{name}, frame {number}\n{}", difference.report());
        }
        let answer = expected::expect(policy, role, frame, Timestamp::now());
        *counts
            .entry((answer.reason.name(), answer.verdict.name(), answer.rule))
            .or_default() += 1;
    }
    let mut text = format!("{} frames on {} interfaces", frames.len(), role.name());
    for ((reason, verdict, rule), count) in counts {
        let by = rule.map_or_else(String::new, |rule| format!(" by rule {rule}"));
        write!(text, "\n{count:>4} {reason}: {verdict}{by}").expect("a string can be written to");
    }
    text
}

/// Replays captures under a policy, and compares the numbers with those beside them.
fn assert_recorded(policy: &Path, captures: &[(&str, Role)]) {
    let text = fs::read_to_string(policy).expect("the captures' policy");
    let (mut program, policy) = (Program::load(&text), Policy::read(&text));
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("../captures");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, role) in captures {
        let counts = replay(&mut program, &policy, name, *role);
        settings.bind(|| insta::assert_snapshot!(*name, counts));
    }
}

#[test]
fn every_captured_frame_gets_the_verdict_of_the_oracle_and_the_recorded_one() {
    let policy = op25b_testlab::paths::workspace().join("policies/lab.yaml");
    assert_recorded(&policy, &HOSTS);
}

#[test]
fn every_frame_of_a_line_with_other_framing_gets_the_verdict_of_the_oracle_and_the_recorded_one() {
    assert_recorded(&directory().join("lines.yaml"), &LINES);
}

#[test]
fn the_captures_are_small_enough_to_be_kept() {
    let size = |(name, _)| fs::metadata(file(name)).expect("the capture is there").len();
    let bytes: u64 = HOSTS.into_iter().chain(LINES).map(size).sum();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}
