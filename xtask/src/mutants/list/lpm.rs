//! Mutants of the prefix tables.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "a table's lists are read one entry too far",
        "../../op25b-common/src/lpm/node.rs",
        " + count_ones(below))",
        " + count_ones(below) + 1)",
    ),
    mutant(
        "a table's paths are taken whatever the address",
        "../../op25b-common/src/lpm/lookup.rs",
        ">> (u64::BITS - path.bits) != 0 {",
        ">> (u64::BITS - path.bits) == 1 {",
    ),
];
