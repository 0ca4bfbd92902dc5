//! The report of `op25b subscribers`: which subscribers meet the filter, how often and since when, as JSON or as text.

mod pools;
mod query;
mod read;
mod row;
mod text;
mod top;

pub use query::{SortBy, SubscriberQuery};
pub(crate) use read::{FilterRecords, subscribers_of};
pub use read::{SubscribersError, subscribers};
pub use row::{FilterSubscribers, MissesRow, SubscriberRow, Subscribers};
