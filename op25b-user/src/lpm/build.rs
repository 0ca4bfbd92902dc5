//! Builds the parts of a table from leaves in ascending order.

use op25b_common::lpm::{BitmapNode, CompressedPath, Entry, PAGE_ENTRIES, Target};

use super::{
    leaf::Leaf,
    lists::LONGEST,
    space::{Space, TablesFull},
};

/// How many bits a step takes after the root.
pub(super) const STEP: u32 = 8;

/// Fills the slots of a step that starts after `depth` bits and takes `width` bits.
///
/// All leaves are inside the prefix of the step. The slots already hold the entries of shorter prefixes.
pub(super) fn fill<S: Space>(
    space: &mut S,
    mut leaves: &[Leaf],
    depth: u32,
    width: u32,
    slots: &mut [Entry],
) -> Result<(), TablesFull> {
    let end = depth + width;
    while let [leaf, rest @ ..] = leaves {
        let slot = leaf.prefix.part(depth, width);
        let length = u32::from(leaf.prefix.length());
        if length <= end {
            let count = 1 << (end - length.max(depth));
            slots[slot..slot + count].fill(Entry::new(Target::Class(leaf.class)));
            leaves = rest;
        } else {
            // The leaves of a slot are contiguous, as no shorter prefix comes between them.
            let count = leaves
                .iter()
                .take_while(|leaf| leaf.prefix.part(depth, width) == slot)
                .count();
            let (inside, rest) = leaves.split_at(count);
            slots[slot] = subtree(space, inside, end, slots[slot])?;
            leaves = rest;
        }
    }
    Ok(())
}

/// The entry that leads to these leaves, all longer than the `depth` bits that they have in common; `outer` is the entry
/// around them.
pub(super) fn subtree<S: Space>(
    space: &mut S,
    leaves: &[Leaf],
    depth: u32,
    outer: Entry,
) -> Result<Entry, TablesFull> {
    let (Some(first), Some(last)) = (leaves.first(), leaves.last()) else {
        return Ok(outer);
    };
    // A leaf that covers others comes before them, so these bits are common to all, and none is shorter than the first.
    let common = first.prefix.common(last.prefix);
    let bits = (common - depth) / STEP * STEP;
    if bits == 0 {
        let mut slots = [outer; PAGE_ENTRIES];
        fill(space, leaves, depth, STEP, &mut slots)?;
        return node(space, &slots);
    }
    let bits = bits.min(u64::BITS);
    let end = depth + bits;
    let (around, inside) = if u32::from(first.prefix.length()) == end {
        (Entry::new(Target::Class(first.class)), &leaves[1..])
    } else {
        (outer, leaves)
    };
    let then = subtree(space, inside, end, around)?;
    path(space, first.prefix.bytes(depth, bits), bits, then, outer)
}

/// The entry of a path: `then` for one value of the next bits, `other` for all others.
pub(super) fn path<S: Space>(
    space: &mut S,
    mut value: u64,
    mut bits: u32,
    mut then: Entry,
    other: Entry,
) -> Result<Entry, TablesFull> {
    if then == other {
        return Ok(other);
    }
    // Consecutive paths are joined.
    if let Target::Path(number) = then.target()
        && let Some(next) = space.path(number)
        && next.default == other
        && bits + next.bits <= u64::BITS
    {
        value |= next.value >> bits;
        bits += next.bits;
        then = next.next;
    }
    let path = CompressedPath {
        value,
        bits,
        next: then,
        default: other,
        unused: 0,
    };
    space
        .add_path(path)
        .map(|number| Entry::new(Target::Path(number)))
}

/// The entry of a step with these slots.
pub(super) fn node<S: Space>(space: &mut S, slots: &[Entry; PAGE_ENTRIES]) -> Result<Entry, TablesFull> {
    let other = most_frequent(slots);
    let differing: Vec<Entry> = slots.iter().copied().filter(|slot| *slot != other).collect();
    if differing.is_empty() {
        return Ok(other);
    }
    if let [then] = differing[..] {
        let byte = (0..).zip(slots).find(|(_, slot)| **slot == then);
        let value = byte.map_or(0, |(byte, _): (u64, _)| byte << (u64::BITS - STEP));
        return path(space, value, STEP, then, other);
    }
    if differing.len() > LONGEST {
        return space
            .add_full_node(slots)
            .map(|number| Entry::new(Target::FullNode(number)));
    }
    let mut node = BitmapNode {
        list: space.add_list(&differing)?,
        default: other,
        ..BitmapNode::default()
    };
    let mut before = 0;
    for (word, slots) in slots.chunks(64).enumerate() {
        node.rank |= before << (word * 8);
        for (bit, slot) in slots.iter().enumerate() {
            if *slot != other {
                node.bits[word] |= 1 << bit;
                before += 1;
            }
        }
    }
    space
        .add_bitmap_node(node)
        .map(|number| Entry::new(Target::BitmapNode(number)))
}

/// The most frequent entry, if at least half of the slots hold it; else any entry.
///
/// With two candidates, every entry that more than a third of the slots hold is one of them at the end (Misra and Gries).
fn most_frequent(slots: &[Entry; PAGE_ENTRIES]) -> Entry {
    let mut candidates = [(slots[0], 0_u32); 2];
    for slot in slots {
        if let Some((_, lead)) = candidates
            .iter_mut()
            .find(|(entry, lead)| entry == slot && *lead > 0)
        {
            *lead += 1;
        } else if let Some(free) = candidates.iter_mut().find(|(_, lead)| *lead == 0) {
            *free = (*slot, 1);
        } else {
            for (_, lead) in &mut candidates {
                *lead -= 1;
            }
        }
    }
    let [first, second] = candidates.map(|(entry, _)| entry);
    let count = |entry| slots.iter().filter(|slot| **slot == entry).count();
    if count(first) >= count(second) {
        first
    } else {
        second
    }
}
