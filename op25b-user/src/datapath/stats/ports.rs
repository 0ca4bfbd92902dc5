//! For which interface packets count: a driver may hand the program to other devices.

/// A bond over a VF of netvsc: more masters have none.
const MOST_MASTERS: usize = 3;

/// The place in `attached` of the interface that packets with this index count for: itself or, as a bond hands the program to its
/// ports and netvsc to its VF, the one that it is a port of, which `master_of` returns.
pub(super) fn place_of(
    index: u32,
    attached: &[u32],
    mut master_of: impl FnMut(u32) -> Option<u32>,
) -> Option<usize> {
    let mut owner = Some(index);
    for _ in 0..=MOST_MASTERS {
        let place = owner.and_then(|owner| attached.iter().position(|index| *index == owner));
        if place.is_some() {
            return place;
        }
        owner = owner.and_then(&mut master_of);
    }
    None
}
