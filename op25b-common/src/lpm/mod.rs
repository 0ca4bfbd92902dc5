//! The layout of the prefix tables in flat memory, and the look-up in them.
//!
//! A table maps every address of a family to the value of its longest prefix (longest-prefix match), in a few memory
//! accesses however many prefixes there are. The program in the kernel and the tests in user space run the same look-up,
//! [`find`], each over its own [`Memory`].
//!
//! The table is a trie over the address's bytes. Its root takes the first [`ROOT_BITS`] at once; from there on each
//! [`Entry`] leads to one of these:
//!
//! - a *class*: the result,
//! - a *full node*: an entry for each value of the next byte; it takes a page,
//! - a *bitmap node*: a bit for each value of the next byte that has an entry of its own, and a list of those entries in a
//!   page,
//! - a *compressed path*: the next bytes must have one value; everything else has the default entry.
//!
//! Nothing that an entry leads to is ever changed except by one store of 32 bits, so a look-up that runs meanwhile sees the
//! table as it was before that store or as it is after it.
#![allow(
    clippy::inline_always,
    reason = "in the kernel a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]

mod entry;
mod key;
mod lookup;
mod node;

pub use self::{
    entry::{Entry, Target},
    key::KeyCursor,
    lookup::{Memory, find, follow},
    node::{BitmapNode, CompressedPath},
};

/// How many bits of the address the root takes.
pub const ROOT_BITS: u32 = 16;

/// Entries of the root.
pub const ROOT_ENTRIES: usize = 1 << ROOT_BITS;

/// Entries of a page: a full node, or the lists of bitmap nodes.
pub const PAGE_ENTRIES: usize = PAGE as usize;
/// [`PAGE_ENTRIES`] as `u32`.
pub const PAGE: u32 = 256;

/// How many steps an IPv4 look-up takes at most after the root.
pub const STEPS_V4: u32 = (32 - ROOT_BITS) / 8;

/// How many steps an IPv6 look-up takes at most after the root.
pub const STEPS_V6: u32 = (128 - ROOT_BITS) / 8;
