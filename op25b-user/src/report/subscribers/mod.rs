//! The report of `op25b subscribers`: which subscribers meet the filter, how often and since when.

mod forgotten;
mod overdue;
mod pools;
mod query;
mod rates;
mod read;
mod row;
mod top;
mod watched;

pub(crate) use forgotten::Forgotten;
pub(crate) use overdue::overdue;
pub use query::{SortOrder, SubscriberQuery};
pub(crate) use rates::{Measured, RateQuery, RateSort, Readings, measure};
pub use rates::{PoolRate, Rates, Recent, SubscriberRate, SubscriberRates};
pub(crate) use read::{FilterRecords, attempts, subscribers_of};
pub use read::{SubscribersError, subscribers};
pub use row::{CountsSince, FilterSubscribers, MissesRow, SubscriberRow, Subscribers};
pub(crate) use watched::Watched;
