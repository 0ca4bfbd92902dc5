//! How a prefix table lies in flat memory, and how an address is looked up in it.
//!
//! One table answers for every address of a family what its longest prefix says, in a few memory accesses however many
//! prefixes there are. The program in the kernel and the tests in user space run the same look-up, [`find`], each over
//! its own [`Memory`].
//!
//! The table is a trie over the address's bytes. Its root takes the first [`ROOT_BITS`] at once; from there on each
//! [`Entry`] says what the next bytes lead to:
//!
//! - a *class*: the answer,
//! - a *page*: an entry for each value of the next byte,
//! - a *sparse* node: a bit for each value of the next byte that differs from the others, and a list of entries for those,
//! - a *path*: the next bytes have to have one value, everything else has one answer.
//!
//! Nothing that an entry leads to is ever changed but by one store of 32 bits, so a look-up that runs meanwhile sees
//! the table as it was before that store or as it is after it.
#![allow(
    clippy::inline_always,
    reason = "in the kernel a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]

/// How many bits of the address the root takes.
pub const ROOT_BITS: u32 = 16;

/// Entries of the root.
pub const ROOT_ENTRIES: usize = 1 << ROOT_BITS;

/// Entries of a page, one for each value of a byte.
pub const PAGE_ENTRIES: usize = PAGE as usize;
/// [`PAGE_ENTRIES`], as entries are counted.
pub const PAGE: u32 = 256;

/// How many steps an IPv4 look-up takes at most behind the root.
pub const STEPS_V4: u32 = (32 - ROOT_BITS) / 8;

/// How many steps an IPv6 look-up takes at most behind the root.
pub const STEPS_V6: u32 = (128 - ROOT_BITS) / 8;

/// What a part of the address space leads to: two bits say what, thirty bits which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Entry(u32);

/// What an [`Entry`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The answer, and its number.
    Class(u32),
    /// A page.
    Page(u32),
    /// A [`Sparse`] node.
    Sparse(u32),
    /// A [`Path`].
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
            Target::Page(number) => (1, number),
            Target::Sparse(number) => (2, number),
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
            1 => Target::Page(number),
            2 => Target::Sparse(number),
            _ => Target::Path(number),
        }
    }
}

/// A node in which most values of the next byte lead to the same; as long as a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sparse {
    /// A bit for each value of the next byte that has an entry in the list.
    pub bits: [u64; 4],
    /// The list's first entry, counted over all pages; a list lies in one page.
    pub list: u32,
    /// What all other values lead to.
    pub other: Entry,
    /// How many bits are set before each word of `bits`, a byte each from the lowest.
    pub before: u32,
    /// Fills the cache line.
    pub unused: [u32; 5],
}

/// Bytes that have to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Path {
    /// The bytes, the first one highest, zeros behind them.
    pub value: u64,
    /// How many bits that are: 8 to 64, in whole bytes.
    pub bits: u32,
    /// What leads on if they are.
    pub then: Entry,
    /// What holds if not.
    pub other: Entry,
    /// Fills it up.
    pub unused: u32,
}

const _: () = {
    assert!(size_of::<Entry>() == 4);
    assert!(size_of::<Sparse>() == 64 && align_of::<Sparse>() == 8);
    assert!(size_of::<Path>() == 24 && align_of::<Path>() == 8);
};

/// Where tables lie, apart from their roots. What is not there, which no complete table asks for, is `None`.
pub trait Memory {
    /// An entry of a page; `byte` is below [`PAGE_ENTRIES`].
    fn page(&self, number: u32, byte: u32) -> Option<Entry>;
    /// A sparse node.
    fn sparse(&self, number: u32) -> Option<&Sparse>;
    /// A path.
    fn path(&self, number: u32) -> Option<&Path>;
}

/// An address at the left of 128 bits; what has been looked at is shifted out.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    high: u64,
    low: u64,
}

impl Rest {
    /// An address, from its highest 64 bits on.
    #[must_use]
    #[inline(always)]
    pub const fn new(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// Takes off what the root takes: its index.
    #[inline(always)]
    pub fn root_index(&mut self) -> u32 {
        let index = (self.high >> (u64::BITS - ROOT_BITS)) as u32;
        self.skip(ROOT_BITS);
        index
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        // A shift by the whole width is none at all.
        if bits >= u64::BITS {
            self.high = self.low;
            self.low = 0;
        } else {
            self.high = self.high << bits | (self.low >> 1) >> (u64::BITS - 1 - bits);
            self.low <<= bits;
        }
    }

    #[inline(always)]
    fn byte(&self) -> u32 {
        (self.high >> 56) as u32
    }
}

/// The class of an address, from its entry in the root on and after at most `steps` steps.
#[inline(always)]
pub fn find<M: Memory>(memory: &M, mut entry: Entry, mut rest: Rest, steps: u32) -> Option<u32> {
    for _ in 0..steps {
        entry = match entry.target() {
            Target::Class(class) => return Some(class),
            Target::Page(number) => {
                let next = memory.page(number, rest.byte())?;
                rest.skip(8);
                next
            }
            Target::Sparse(number) => {
                let node = memory.sparse(number)?;
                let next = match node.place(rest.byte()) {
                    Some(at) => memory.page(at / PAGE, at % PAGE)?,
                    None => node.other,
                };
                rest.skip(8);
                next
            }
            Target::Path(number) => {
                let path = memory.path(number)?;
                if (rest.high ^ path.value) >> (u64::BITS - path.bits) != 0 {
                    path.other
                } else {
                    rest.skip(path.bits);
                    path.then
                }
            }
        };
    }
    match entry.target() {
        Target::Class(class) => Some(class),
        _ => None,
    }
}

impl Sparse {
    /// Where the entry for a value of the next byte is, counted over all pages; `None` if it is [`Self::other`].
    #[must_use]
    #[inline(always)]
    pub fn place(&self, byte: u32) -> Option<u32> {
        let word = byte >> 6;
        let bits = self.bits[word as usize];
        let below = bits & ((1 << (byte & 63)) - 1);
        if bits >> (byte & 63) & 1 == 0 {
            return None;
        }
        Some(self.list + (self.before >> (word * 8) & 0xff) + ones(below))
    }
}

/// How many bits are set; BPF has no instruction for that.
#[inline(always)]
fn ones(bits: u64) -> u32 {
    const PAIRS: u64 = 0x5555_5555_5555_5555;
    const FOURS: u64 = 0x3333_3333_3333_3333;
    const BYTES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const SUM: u64 = 0x0101_0101_0101_0101;
    let pairs = bits - (bits >> 1 & PAIRS);
    let fours = (pairs & FOURS) + (pairs >> 2 & FOURS);
    let bytes = (fours + (fours >> 4)) & BYTES;
    (bytes.wrapping_mul(SUM) >> 56) as u32
}
