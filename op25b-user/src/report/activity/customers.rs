//! Whose the attempts were, by the sessions. What they name no customer for is nobody's, and is summed up.

use std::collections::HashSet;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{document::Sum, row::as_text, tally::Counts};
use crate::{
    session::{Attribution, SessionIndex},
    store::activity::Bucket,
};

/// The most buckets of nobody's that are listed.
const MOST_LISTED: usize = 1000;

/// The customers of buckets.
pub(crate) struct Customers<'s> {
    sessions: &'s SessionIndex,
    skew: SignedDuration,
    ambiguous: Rest,
    unattributed: Rest,
    listed: Vec<NobodysBucket>,
    omitted: u64,
}

/// What no customer is named for.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct NotAttributed {
    /// What one of several customers did, or a customer whose sessions cover it in part. Its rows are subscribers.
    pub(crate) ambiguous: Sum,
    /// What was done while there was no session. Its rows are subscribers.
    pub(crate) unattributed: Sum,
    /// The first buckets of both.
    pub(crate) buckets: Vec<NobodysBucket>,
    /// How many more there are.
    pub(crate) omitted: u64,
}

/// A bucket that is no one customer's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NobodysBucket {
    #[serde(serialize_with = "as_text")]
    subscriber: IpNet,
    first: Timestamp,
    last: Timestamp,
    packets: u64,
    /// Whose it may be; nobody's who is known if there is none.
    customers: Vec<String>,
}

/// The sum of buckets that are no one customer's.
#[derive(Default)]
struct Rest {
    sum: Sum,
    subscribers: HashSet<IpNet>,
}

impl<'s> Customers<'s> {
    pub(crate) fn new(sessions: &'s SessionIndex, skew: SignedDuration) -> Self {
        Self {
            sessions,
            skew,
            ambiguous: Rest::default(),
            unattributed: Rest::default(),
            listed: Vec::new(),
            omitted: 0,
        }
    }

    /// The customer of a bucket. If there is none, it is noted.
    pub(crate) fn of(&mut self, bucket: &Bucket) -> Option<&'s str> {
        let attribution = self
            .sessions
            .of(bucket.subscriber, bucket.first, bucket.last, self.skew);
        match attribution {
            Attribution::Customer(customer) => return Some(customer),
            Attribution::Ambiguous(customers) => {
                self.ambiguous.add(bucket);
                self.list(bucket, customers);
            }
            Attribution::Unattributed => {
                self.unattributed.add(bucket);
                self.list(bucket, Vec::new());
            }
        }
        None
    }

    fn list(&mut self, bucket: &Bucket, customers: Vec<&str>) {
        if self.listed.len() == MOST_LISTED {
            self.omitted += 1;
            return;
        }
        self.listed.push(NobodysBucket {
            subscriber: bucket.subscriber,
            first: bucket.first,
            last: bucket.last,
            packets: Counts::of(bucket).packets(),
            customers: customers.into_iter().map(str::to_owned).collect(),
        });
    }

    /// What no customer is named for.
    pub(crate) fn finish(self) -> NotAttributed {
        NotAttributed {
            ambiguous: self.ambiguous.sum,
            unattributed: self.unattributed.sum,
            buckets: self.listed,
            omitted: self.omitted,
        }
    }
}

impl Rest {
    fn add(&mut self, bucket: &Bucket) {
        let is_new = self.subscribers.insert(bucket.subscriber);
        self.sum.add(&Counts::of(bucket), u64::from(is_new));
    }
}
