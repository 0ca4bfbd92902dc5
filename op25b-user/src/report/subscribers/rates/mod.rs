//! How much subscribers do now: what their records have counted since a reading before.

mod document;
mod measure;
mod readings;

pub use self::document::{PoolRate, Rates, Recent, SubscriberRate, SubscriberRates};
pub(crate) use self::{
    measure::{Measured, RateQuery, RateSort, measure},
    readings::Readings,
};
