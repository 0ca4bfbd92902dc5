//! Walks through a whole table: every address with the class that a look-up finds, as ranges.

use std::ops::RangeInclusive;

use op25b_common::{
    TableRoot,
    lpm::{Entry, Memory as _, PAGE, ROOT_BITS, ROOT_ENTRIES, Target},
};

use super::{build::STEP, table_set::TableSet};

/// A part of the address space: the addresses that have the first `depth` bits of `base`, of which those from `first` to `last`
/// are meant.
#[derive(Clone, Copy)]
struct Part {
    base: u128,
    depth: u32,
    first: u128,
    last: u128,
}

impl Part {
    /// The part for these values of the next `bits` bits; `None` if none of its addresses are meant, or an address has not so many
    /// bits.
    fn inside(self, values: RangeInclusive<u128>, bits: u32) -> Option<Self> {
        let depth = self.depth + bits;
        let below = u128::MAX.checked_shr(depth).unwrap_or(0);
        let shift = 128_u32.checked_sub(depth)?;
        let [base, end] =
            [*values.start(), *values.end()].map(|value| self.base | value.checked_shl(shift).unwrap_or(0));
        Self { base, depth, ..self }.clipped(base, end | below)
    }

    /// What of the part is between two addresses.
    fn clipped(self, first: u128, last: u128) -> Option<Self> {
        let (first, last) = (first.max(self.first), last.min(self.last));
        (first <= last).then_some(Self { first, last, ..self })
    }
}

impl TableSet {
    /// Visits every address of a table in ascending order, in ranges of one class each; addresses are in the leftmost of 128 bits.
    /// The class is `None` where a look-up of at most `steps` steps finds nothing, which is so in no complete table.
    ///
    /// It follows entries as [`op25b_common::lpm::find`] does.
    pub(crate) fn walk<E>(
        &self,
        root: TableRoot,
        steps: u32,
        visit: &mut impl FnMut(u128, u128, Option<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let whole = Part {
            base: 0,
            depth: 0,
            first: 0,
            last: u128::MAX,
        };
        let start = root.index() as usize * ROOT_ENTRIES;
        let entries = self.roots.get(start..start + ROOT_ENTRIES).unwrap_or_default();
        let entry = |value: u32| entries.get(value as usize).copied();
        self.walk_slots(ROOT_BITS, &entry, whole, steps, visit)
    }

    /// Walks through all values of the next `bits` bits, of which `entry` returns the entries. Where neighbours have the same class, they
    /// are one range: a node has 256 of them and seldom more than a few classes.
    fn walk_slots<E>(
        &self,
        bits: u32,
        entry: &impl Fn(u32) -> Option<Entry>,
        part: Part,
        steps: u32,
        visit: &mut impl FnMut(u128, u128, Option<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = 1 << bits;
        let mut next = 0;
        while next < count {
            let (first, found) = (next, entry(next));
            next += 1;
            if matches!(found.map(Entry::target), Some(Target::Class(_))) {
                while next < count && entry(next) == found {
                    next += 1;
                }
            }
            if let Some(inside) = part.inside(first.into()..=(next - 1).into(), bits) {
                self.walk_part(found, inside, steps, visit)?;
            }
        }
        Ok(())
    }

    fn walk_part<E>(
        &self,
        entry: Option<Entry>,
        part: Part,
        steps: u32,
        visit: &mut impl FnMut(u128, u128, Option<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let target = entry.map(Entry::target);
        if let Some(Target::Class(class)) = target {
            return visit(part.first, part.last, Some(class));
        }
        let (Some(target), Some(steps)) = (target, steps.checked_sub(1)) else {
            return visit(part.first, part.last, None);
        };
        match target {
            Target::Class(_) => Ok(()),
            Target::FullNode(page) => {
                self.walk_slots(STEP, &|byte| self.entry(page, byte), part, steps, visit)
            }
            Target::BitmapNode(number) => {
                let Some(node) = self.bitmap_node(number) else {
                    return visit(part.first, part.last, None);
                };
                let entry = |byte| match node.list_index(byte) {
                    Some(index) => self.entry(index / PAGE, index % PAGE),
                    None => Some(node.default),
                };
                self.walk_slots(STEP, &entry, part, steps, visit)
            }
            Target::Path(number) => {
                let path = self
                    .path(number)
                    .filter(|path| (1..=u64::BITS).contains(&path.bits) && part.depth + path.bits <= 128);
                let Some(path) = path else {
                    return visit(part.first, part.last, None);
                };
                let value = path.value >> (u64::BITS - path.bits);
                let whole = Part {
                    first: 0,
                    last: u128::MAX,
                    ..part
                };
                let value = u128::from(value);
                let Some(led_on) = whole.inside(value..=value, path.bits) else {
                    return visit(part.first, part.last, None);
                };
                // The default entry starts where the path does: no bits are skipped for it.
                if let Some(before) = led_on.first.checked_sub(1)
                    && let Some(part) = part.clipped(0, before)
                {
                    self.walk_part(Some(path.default), part, steps, visit)?;
                }
                if let Some(part) = led_on.clipped(part.first, part.last) {
                    self.walk_part(Some(path.next), part, steps, visit)?;
                }
                if let Some(after) = led_on.last.checked_add(1)
                    && let Some(part) = part.clipped(after, u128::MAX)
                {
                    self.walk_part(Some(path.default), part, steps, visit)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use op25b_common::lpm::{STEPS_V4, STEPS_V6};

    use super::*;
    use crate::lpm::{AddressFamily, Bits, Leaf};

    fn table(root: TableRoot, family: AddressFamily, prefixes: &[&str]) -> TableSet {
        let mut leaves: Vec<Leaf> = (1..)
            .zip(prefixes)
            .map(|(class, text)| Leaf {
                prefix: Bits::of(family, text.parse().unwrap()).unwrap(),
                class,
            })
            .collect();
        leaves.sort_unstable_by_key(|leaf| leaf.prefix);
        let mut tables = TableSet::new();
        tables.fill(root, &leaves).unwrap();
        tables
    }

    fn ranges(tables: &TableSet, root: TableRoot, steps: u32) -> Vec<(u128, u128, Option<u32>)> {
        let mut ranges = Vec::new();
        let mut visit = |first, last, class| {
            ranges.push((first, last, class));
            Ok::<_, Infallible>(())
        };
        tables
            .walk(root, steps, &mut visit)
            .unwrap_or_else(|error| match error {});
        ranges
    }

    #[test]
    fn a_walk_visits_each_address_once_with_the_class_that_a_look_up_finds() {
        for (root, steps, family, prefixes) in [
            (
                TableRoot::SourcesV4,
                STEPS_V4,
                AddressFamily::V4,
                &[
                    "10.0.0.0/8",
                    "10.1.2.0/24",
                    "10.1.2.3/32",
                    "192.0.2.128/25",
                    "0.0.0.0/0",
                ][..],
            ),
            (
                TableRoot::RelaysV6,
                STEPS_V6,
                AddressFamily::V6,
                &[
                    "2001:db8::/32",
                    "2001:db8::1/128",
                    "2001:db8:0:ff00::/56",
                    "2001:db8:0:fe00::/55",
                    "fe80::/10",
                ],
            ),
        ] {
            let tables = table(root, family, prefixes);
            let mut next = Some(0);
            for (first, last, class) in ranges(&tables, root, steps) {
                assert_eq!(Some(first), next);
                for address in [first, first + (last - first) / 2, last] {
                    assert_eq!(tables.find(root, address, steps), class, "{address:x}");
                }
                next = last.checked_add(1);
            }
            assert_eq!(next, None, "the walk ends with the last address");
        }
    }

    #[test]
    fn an_entry_that_leads_nowhere_or_too_far_has_no_class() {
        let root = TableRoot::SourcesV4;
        let mut tables = table(root, AddressFamily::V4, &["10.1.2.3/32"]);
        let found = |tables: &TableSet, steps| {
            let ranges = ranges(tables, root, steps);
            ranges.into_iter().find(|(.., class)| class.is_none())
        };
        assert_eq!(found(&tables, STEPS_V4), None);
        assert_eq!(
            found(&tables, 0).map(|(first, ..)| first >> 96),
            Some(0x0a01_0000)
        );
        tables.paths.clear();
        assert_eq!(
            found(&tables, STEPS_V4).map(|(first, ..)| first >> 96),
            Some(0x0a01_0000)
        );
    }
}
