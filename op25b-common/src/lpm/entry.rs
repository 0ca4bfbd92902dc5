//! The 32-bit word that holds what a part of the address space leads to.

/// Two bits for the kind of the target, thirty for its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Entry(u32);

/// What an [`Entry`] leads to, each with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The result.
    Class(u32),
    /// A full node: the page that it takes.
    FullNode(u32),
    /// A [`super::BitmapNode`].
    BitmapNode(u32),
    /// A [`super::CompressedPath`].
    Path(u32),
}

impl Entry {
    const KIND_SHIFT: u32 = 30;
    /// One more than the largest number that an entry can hold.
    pub const NUMBERS: u32 = 1 << Self::KIND_SHIFT;

    /// The entry for a target, whose number is below [`Self::NUMBERS`].
    #[must_use]
    pub const fn new(target: Target) -> Self {
        let (kind, number) = match target {
            Target::Class(number) => (0, number),
            Target::FullNode(number) => (1, number),
            Target::BitmapNode(number) => (2, number),
            Target::Path(number) => (3, number),
        };
        Self(kind << Self::KIND_SHIFT | number)
    }

    /// The entry that was stored as this word.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The word to be stored.
    #[must_use]
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// What it leads to.
    #[must_use]
    #[inline(always)]
    pub const fn target(self) -> Target {
        let number = self.0 & (Self::NUMBERS - 1);
        match self.0 >> Self::KIND_SHIFT {
            0 => Target::Class(number),
            1 => Target::FullNode(number),
            2 => Target::BitmapNode(number),
            _ => Target::Path(number),
        }
    }
}

const _: () = assert!(size_of::<Entry>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_its_target() {
        for number in [0, 1, Entry::NUMBERS - 1] {
            for target in [
                Target::Class(number),
                Target::FullNode(number),
                Target::BitmapNode(number),
                Target::Path(number),
            ] {
                let entry = Entry::new(target);
                assert_eq!(entry.target(), target);
                assert_eq!(Entry::from_word(entry.word()), entry);
            }
        }
    }

    #[test]
    fn memory_of_zeros_leads_to_class_0() {
        assert_eq!(Entry::from_word(0).target(), Target::Class(0));
    }
}
