//! The metrics of packets by interface and by pool, and of the replies to them.

use std::borrow::Cow;

use op25b_common::{Reason, Verdict};

use super::page::{Labels, MetricsPage, label};
use crate::{
    datapath::{PacketCount, PacketCounts},
    policy::Role,
    report::status::FilterStatus,
};

/// The pools beyond those that are counted by themselves, unless a pool of the policy has that name.
const OTHERS: &str = "other";

impl FilterStatus {
    /// Writes the packets and, of those that were dropped or rejected, the bytes of each interface and of each pool.
    pub(super) fn write_packets(&self, page: &mut MetricsPage) {
        let mut interfaces = Families::default();
        for interface in &self.interfaces {
            let Some(counts) = &interface.packets else {
                continue;
            };
            let is_uplink = interface.role == Role::Uplink.name();
            let labels = [("interface", &interface.name), ("role", &interface.role)];
            let labels = labels.map(|(label, value)| (label, value.clone().into()));
            interfaces.add(&labels, counts, |count| match (count.reason, count.verdict) {
                // What comes from the Internet is not answered, and passes if the address is in no pool.
                (_, Verdict::Reject) | (Reason::NotPooled, Verdict::Drop) => !is_uplink,
                _ => true,
            });
        }
        interfaces.write(page, "interface", "the interface that they came in on, its role");
        self.write_answers(page);

        let Some(counts) = &self.pool_packets else { return };
        let mut pools = Families::default();
        let is_of_a_pool = |count: &PacketCount| count.reason != Reason::NotPooled;
        for (pool, counts) in &counts.pools {
            pools.add(&label("pool", pool), counts, is_of_a_pool);
        }
        if counts.others != PacketCounts::default() {
            let mut others = OTHERS.to_owned();
            while counts.pools.iter().any(|(pool, _)| *pool == others) {
                others.push('_');
            }
            pools.add(&label("pool", &others), &counts.others, is_of_a_pool);
        }
        pools.add(&label("pool", ""), &counts.none, |count| {
            matches!(
                count.reason,
                Reason::NotPooled | Reason::Uninspectable | Reason::Relay | Reason::Exempt
            )
        });
        pools.write(page, "pool", "the pool of the subscriber");
    }

    fn write_answers(&self, page: &mut MetricsPage) {
        let answers = self.answers.iter().flatten().flat_map(|count| {
            let outcomes = [
                ("sent", count.sent),
                ("suppressed", count.suppressed),
                ("unanswerable", count.unanswerable),
            ];
            outcomes.map(|(outcome, packets)| {
                let action = ("action", count.action.name().into());
                (vec![action, ("outcome", outcome.into())], packets)
            })
        });
        page.counters(
            "answers",
            "Rejected packets by the action and by what became of the answer: it was sent, it was not to keep the rate (suppressed), or \
             packets of that kind get none (unanswerable)",
            answers,
        );
    }
}

/// The packets of all interfaces, or of all pools, and the bytes of those that did not pass.
#[derive(Default)]
struct Families {
    packets: Vec<(Labels, u64)>,
    bytes: Vec<(Labels, u64)>,
}

impl Families {
    /// Adds what was counted in one place. What cannot be there has a series only if it was counted nevertheless.
    fn add(
        &mut self,
        place: &[(&'static str, Cow<'static, str>)],
        counts: &PacketCounts,
        can_be: impl Fn(&PacketCount) -> bool,
    ) {
        for count in counts.iter().filter(|count| count.packets != 0 || can_be(count)) {
            let mut labels = Labels::with_capacity(place.len() + 2);
            labels.extend_from_slice(place);
            labels.push(("reason", count.reason.name().into()));
            labels.push(("verdict", count.verdict.name().into()));
            if let Some(bytes) = count.bytes {
                self.bytes.push((labels.clone(), bytes));
            }
            self.packets.push((labels, count.packets));
        }
    }

    fn write(self, page: &mut MetricsPage, place: &str, by: &str) {
        page.counters(
            &format!("{place}_packets"),
            &format!("Packets by {by}, the reason of the verdict and the verdict"),
            self.packets,
        );
        page.counters(
            &format!("{place}_dropped_bytes"),
            &format!("Bytes of the frames that were dropped or rejected by {by}, the reason of the verdict and the verdict"),
            self.bytes,
        );
    }
}
