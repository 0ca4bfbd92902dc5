//! Sessions for tests, with times in seconds after an instant.

use ipnet::IpNet;
use jiff::Timestamp;

use super::Session;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_837_000_000 + seconds).unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn ended(customer: &str, prefix: &str, start: i64, end: i64) -> Session {
    Session::ended(customer, net(prefix), at(start), at(end))
}

pub(crate) fn open(customer: &str, prefix: &str, start: i64, seen: i64) -> Session {
    Session::open(customer, net(prefix), at(start), at(seen))
}
