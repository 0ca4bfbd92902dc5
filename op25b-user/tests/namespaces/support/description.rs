//! Descriptions of pinned filters as earlier versions wrote them.

use std::{fs, path::Path};

use aya::maps::{Array, Map, MapData};
use op25b_common::values::DescriptionChunk;

/// Removes a member from the descriptions of pinned filters, as a version without it wrote them.
pub fn forget(pins: &Path, member: &str) {
    for generation in fs::read_dir(pins.join("generations")).unwrap() {
        let map = MapData::from_pin(generation.unwrap().path().join("DESCRIPTION")).unwrap();
        let mut chunks = Array::<_, DescriptionChunk>::try_from(Map::Array(map)).unwrap();
        let read: Vec<_> = chunks.iter().map(Result::unwrap).collect();
        let mut text: Vec<u8> = read.concat();
        text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
        let mut description: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let members = description.as_object_mut().unwrap();
        assert!(members.remove(member).is_some());
        let mut text = serde_json::to_vec(&description).unwrap();
        text.resize(read.len() * size_of::<DescriptionChunk>(), 0);
        for (index, part) in (0_u32..).zip(text.chunks(size_of::<DescriptionChunk>())) {
            let mut chunk = [0; size_of::<DescriptionChunk>()];
            chunk.copy_from_slice(part);
            chunks.set(index, chunk, 0).unwrap();
        }
    }
}
