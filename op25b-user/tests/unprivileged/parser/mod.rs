//! The XDP program's parsers keep their guarantees on any bytes: without a kernel, with the harness that is fuzzed too.

mod harness;

use std::{fs, path::Path};

use proptest::prelude::*;

/// Frames that fuzzing found worth keeping: each takes a way through the parsers that no other one does.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/packet");
    fs::read_dir(folder)
        .expect("the seeds are there")
        .map(|entry| fs::read(entry.expect("the folder can be read").path()).expect("a seed can be read"))
        .collect()
}

#[test]
fn every_seed_is_read_within_its_bounds_however_it_is_cut_or_padded() {
    let seeds = seeds();
    assert!(seeds.len() >= 50, "only {} seeds", seeds.len());
    for seed in &seeds {
        for length in 0..=seed.len() {
            harness::check(&seed[..length]);
        }
        harness::check(&[&seed[..], &[0xff; 64]].concat());
    }
}

/// A frame whose first bytes lead somewhere.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just([0x81, 0x00]),
        Just([0x88, 0xa8]),
        Just([0x91, 0x00]),
        Just([0x88, 0x64]),
        Just([0x08, 0x00]),
        Just([0x86, 0xdd]),
        any::<[u8; 2]>(),
    ];
    let start = prop_oneof![Just(0x45), Just(0x60), any::<u8>()];
    let protocol = prop::sample::select(vec![0, 4, 6, 17, 41, 43, 44, 47, 50, 51, 59, 60, 135, 139, 140]);
    let bytes = prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => protocol, 1 => start], 0..400);
    (any::<[u8; 12]>(), prop::collection::vec(word, 0..6), bytes)
        .prop_map(|(addresses, words, bytes)| [&addresses[..], &words.concat(), &bytes].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_frame_is_read_within_its_bounds(frame in frames()) {
        harness::check(&frame);
    }

    #[test]
    fn a_seed_with_some_bytes_changed_is_read_within_its_bounds(
        seed in prop::sample::select(seeds()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut frame = seed;
        for (at, byte) in changes {
            if !frame.is_empty() {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
        }
        harness::check(&frame);
    }
}
