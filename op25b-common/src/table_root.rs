//! The prefix tables of a policy.

/// A prefix table, by the position of its root in [`crate::names::ROOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum TableRoot {
    /// IPv4 sources; the result is the number of a [`crate::values::Class`].
    SourcesV4 = 0,
    /// IPv6 sources; the result is the number of a [`crate::values::Class`].
    SourcesV6 = 1,
    /// IPv4 destinations; the result is 0, or the index of a relay plus 1.
    RelaysV4 = 2,
    /// IPv6 destinations; the result is 0, or the index of a relay plus 1.
    RelaysV6 = 3,
}

impl TableRoot {
    /// Every table, by number.
    pub const ALL: [Self; 4] = [Self::SourcesV4, Self::SourcesV6, Self::RelaysV4, Self::RelaysV6];

    /// How many tables there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its index in [`crate::names::ROOTS`].
    #[must_use]
    pub const fn index(self) -> u32 {
        self as u32
    }

    /// The table with this index.
    #[must_use]
    pub const fn from_u32(index: u32) -> Option<Self> {
        if (index as usize) < Self::COUNT {
            Some(Self::ALL[index as usize])
        } else {
            None
        }
    }
}

const _: () = {
    let mut number = 0;
    while number < TableRoot::COUNT {
        assert!(
            TableRoot::ALL[number] as usize == number,
            "TableRoot::ALL is by number"
        );
        number += 1;
    }
};
