//! The history of activity: what each subscriber did, in buckets of time, in a database that can be thrown away.
//!
//! Its tables, in `schema.rs`, hold two things: the buckets, and of each subscriber what the kernel's record had counted when its
//! last bucket was written. A bucket is the difference to that, so that neither a restart nor a crash counts a packet twice.

mod baseline;
mod buckets;
mod forget;
mod key;
mod read;
mod reading;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub use self::{
    buckets::{Bucket, BucketQuery, Covered},
    forget::{Forget, Kind, Which},
    read::ActivityReader,
    reading::{Counted, ReadUntil, Reading},
    write::{ActivityStore, Begun, Kept, OpenedActivity, Removed},
};
