//! Who follows what changes, events of packets or rates of subscribers: that is recorded when it begins, and every hour while it lasts,
//! not for each request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ipnet::IpNet;

/// For how long a record stands.
const STANDS: Duration = Duration::from_hours(1);
/// The most that are remembered; beyond that all are recorded again.
const MOST: usize = 1024;

/// What somebody follows, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Following {
    pub(super) uid: u32,
    /// What is followed, in a word.
    pub(super) what: &'static str,
    pub(super) pool: Option<String>,
    pub(super) within: Option<IpNet>,
    pub(super) reason: Option<String>,
}

/// When each was recorded last. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Followers(Arc<Mutex<HashMap<Following, Instant>>>);

impl Followers {
    /// Whether it was recorded within the last hour.
    pub(super) fn is_recorded(&self, following: &Following, now: Instant) -> bool {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded
            .get(following)
            .is_some_and(|at| now.duration_since(*at) < STANDS)
    }

    /// Notes that it was recorded.
    pub(super) fn note(&self, following: Following, now: Instant) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.retain(|_, at| now.duration_since(*at) < STANDS);
        if recorded.len() >= MOST {
            recorded.clear();
        }
        recorded.insert(following, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_for_an_hour_for_the_same_user_prefix_and_reason() {
        let followers = Followers::default();
        let now = Instant::now();
        let following = Following {
            uid: 1000,
            what: "events",
            pool: None,
            within: Some("198.51.100.0/24".parse().unwrap()),
            reason: Some("OPS-1042".to_owned()),
        };
        assert!(!followers.is_recorded(&following, now));
        followers.note(following.clone(), now);
        assert!(followers.is_recorded(&following, now + STANDS / 2));
        for other in [
            Following {
                uid: 1001,
                ..following.clone()
            },
            Following {
                what: "live view of subscribers",
                ..following.clone()
            },
            Following {
                within: None,
                ..following.clone()
            },
            Following {
                reason: None,
                ..following.clone()
            },
            Following {
                pool: Some("homes".to_owned()),
                ..following.clone()
            },
        ] {
            assert!(!followers.is_recorded(&other, now), "{other:?}");
        }
        assert!(!followers.is_recorded(&following, now + STANDS));
    }
}
