//! Finds the exemptions that cover a source and do not let a connection pass: ended, removed, for other destinations, or not
//! in the kernel.

mod text;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use op25b_common::Tunnel;

use super::exemptions::{FileExemptions, Selection, list};
use crate::{
    api::{Exemption, Explained, NotInForce, NotInForceState, Origin},
    counted::counted,
    policy::{Nat64, Role},
    store::{Records, State, StoreError},
};

/// The most that are named; the others are counted.
const MOST: usize = 5;
/// How many are read at once.
const PAGE: usize = 1000;

/// The connection that they are compared with.
#[derive(Clone, Copy, Debug)]
struct Compared<'a> {
    /// Its sources: more than one in a tunnel.
    sources: &'a [IpAddr],
    /// Its destination.
    destination: IpAddr,
    /// The translation of the policy.
    nat64: &'a Nat64,
}

impl Explained {
    /// Whether an exemption could have let the connection pass, or would after a date.
    #[must_use]
    pub fn lacks_an_exemption(&self) -> bool {
        matches!(&*self.reason, "blocked" | "monitored" | "uninspectable")
    }

    /// The addresses that an exemption is looked up for, and the one of the server: what comes from the Internet is for the
    /// subscriber.
    fn subscriber_and_server(&self) -> (Vec<IpAddr>, IpAddr) {
        if self.role.as_deref() == Some(Role::Uplink.name()) {
            return (vec![self.destination], self.source);
        }
        let is_b4 = |tunnel: &String| tunnel == Tunnel::V4InV6.name();
        let inner = self.tunnel.iter().zip(&self.inner_source);
        let inner = inner.filter(|(tunnel, _)| !is_b4(tunnel));
        let sources = std::iter::once(self.source).chain(inner.map(|(_, source)| *source));
        (sources.collect(), self.destination)
    }

    /// What is to be said of the exemptions that do not let the connection pass, one line each.
    #[must_use]
    pub fn notes(&self, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        let (_, server) = self.subscriber_and_server();
        let named = self.not_in_force.iter();
        let mut notes: Vec<String> = named.map(|exemption| exemption.text(server, now, zone)).collect();
        if self.more_not_in_force > 0 {
            let more = counted(self.more_not_in_force, "more exemption");
            notes.push(format!("{more} of this source not in force"));
        }
        if let Some(why) = &self.store_error {
            notes.push(format!("stored exemptions are not known: {why}"));
        }
        notes
    }

    /// Adds the exemptions that do not let the connection pass; none if no exemption is missing.
    pub(crate) fn add_not_in_force(
        &mut self,
        file: FileExemptions<'_>,
        store: &dyn Records,
        nat64: &Nat64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !self.lacks_an_exemption() {
            return Ok(());
        }
        let (sources, destination) = self.subscriber_and_server();
        let compared = Compared {
            sources: &sources,
            destination,
            nat64,
        };
        let mut found = compared.find(file, store, now)?;
        if self.reason == "uninspectable" {
            // An exemption does not let pass what hides its ports.
            found.retain(|found| found.state != NotInForceState::NotEnforced);
        }
        self.more_not_in_force = found.len().saturating_sub(MOST);
        found.truncate(MOST);
        self.not_in_force = found;
        Ok(())
    }
}

impl Compared<'_> {
    /// All of them, the newest first.
    fn find(
        &self,
        file: FileExemptions<'_>,
        store: &dyn Records,
        now: Timestamp,
    ) -> Result<Vec<NotInForce>, StoreError> {
        let mut found: Vec<(Option<Timestamp>, NotInForce)> = Vec::new();
        for source in self.sources {
            let mut selection = Selection {
                within: Some(IpNet::from(*source)),
                all: true,
                limit: PAGE,
                ..Selection::default()
            };
            loop {
                let page = list(file, store, &selection, now)?;
                for exemption in page.items {
                    let newest = exemption.ended_at().or(exemption.created_at);
                    let one = self.compare(exemption);
                    if !found.iter().any(|(_, other)| other.id == one.id) {
                        found.push((newest, one));
                    }
                }
                // A cursor that reads as it was written.
                match page.next.and_then(|next| next.parse().ok()) {
                    Some(next) => selection.after = Some(next),
                    None => break,
                }
            }
        }
        // Ids ascend with time; those of the file are in no order.
        found.sort_by(|(one, first), (other, second)| (other, &second.id).cmp(&(one, &first.id)));
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// Why an exemption that covers the source does not let the connection pass.
    fn compare(&self, exemption: Exemption) -> NotInForce {
        let reaches = exemption.terms.destinations.is_empty()
            || exemption
                .terms
                .destinations
                .iter()
                .flat_map(|net| self.nat64.with_translated(*net))
                .any(|net| net.contains(&self.destination));
        let (state, at) = match exemption.state {
            State::Removed => (NotInForceState::Removed, exemption.removed_at),
            State::Expired => (NotInForceState::Expired, exemption.terms.expires_at),
            State::Active if reaches => (NotInForceState::NotEnforced, None),
            State::Active => (NotInForceState::OtherDestinations, None),
        };
        let (by, reason) = exemption
            .removal
            .map_or((None, None), |removal| (Some(removal.by), removal.reason));
        NotInForce {
            id: exemption.id,
            customer: exemption.terms.customer.into(),
            ticket: exemption.terms.ticket.map(Into::into),
            state,
            at,
            expires_at: exemption.terms.expires_at,
            by,
            reason,
            destinations: exemption.terms.destinations.into_vec(),
            place: match exemption.origin {
                Origin::Policy => exemption.place,
                Origin::Store => None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
