//! What a notice is about: a customer, and what was done from each of the customer's addresses.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::{
    counted::counted,
    policy::Pool,
    report::activity::{Class, Mode, Rules, Tally, subscriber},
};

/// What a customer did from an address.
pub(super) struct Address {
    pub(super) subscriber: IpNet,
    /// The number of its pool.
    pub(super) pool: Option<usize>,
    pub(super) tally: Tally,
}

/// A customer who is written to.
pub(super) struct Letter<'a> {
    pub(super) customer: &'a str,
    pub(super) class: Option<Class>,
    pub(super) tally: &'a Tally,
    /// With their pools, those with the most packets first.
    pub(super) addresses: Vec<(&'a Address, Option<&'a Pool>)>,
    /// Whether a pool of these addresses is enforced now.
    pub(super) is_blocked: bool,
    /// When the first of the others will be.
    pub(super) enforce_from: Option<Timestamp>,
}

impl<'a> Letter<'a> {
    pub(super) fn new(
        customer: &'a str,
        tally: &'a Tally,
        addresses: &'a [Address],
        rules: &'a Rules<'_>,
    ) -> Self {
        let pool = |address: &Address| address.pool.map(|number| &rules.pools()[number]);
        let addresses: Vec<_> = addresses.iter().map(|address| (address, pool(address))).collect();
        let modes = addresses
            .iter()
            .filter_map(|(_, pool)| *pool)
            .map(|pool| rules.mode(pool));
        let modes: Vec<_> = modes.collect();
        Self {
            customer,
            class: Class::of(tally),
            tally,
            is_blocked: modes.iter().any(|(mode, _)| *mode != Mode::Monitor),
            enforce_from: modes.iter().filter_map(|(_, from)| *from).min(),
            addresses,
        }
    }

    /// `株式会社サンプル: 3 packets from 198.51.100.7`
    pub(super) fn summary(&self) -> String {
        let packets = usize::try_from(self.tally.counts.packets()).unwrap_or(usize::MAX);
        let addresses: Vec<_> = self
            .addresses
            .iter()
            .map(|(address, _)| subscriber(&address.subscriber))
            .collect();
        format!("{} from {}", counted(packets, "packet"), addresses.join(", "))
    }
}
