//! What a diagnosis is about: addresses, or exemptions that are found by their id, ticket or customer.

use std::net::IpAddr;

use ipnet::IpNet;

use super::source::Source;
use crate::{api::Exemption, daemon::client::Listing, policy, report::AskedKind};

/// What is asked about.
pub(super) struct Subject {
    pub(super) kind: AskedKind,
    /// Its prefixes, each once.
    pub(super) prefixes: Vec<IpNet>,
}

/// Finds out what a text names; `None` if it is nothing that is known.
pub(super) fn find(text: &str, source: &Source) -> anyhow::Result<Option<Subject>> {
    if let Some(subject) = of_addresses(text) {
        return Ok(Some(subject));
    }
    if let Some(exemption) = source.show(text)? {
        return Ok(Some(of_exemptions(AskedKind::Exemption, &[exemption])));
    }
    let of_customer = Listing {
        customer: Some(text.to_owned()),
        all: true,
        ..Listing::default()
    };
    for (kind, found) in [
        (AskedKind::Ticket, of_ticket(text, source)?),
        (AskedKind::Customer, source.list(&of_customer)?),
    ] {
        if !found.is_empty() {
            return Ok(Some(of_exemptions(kind, &found)));
        }
    }
    // A mistyped address is not the name of a customer.
    if text.contains(['.', ':', '/']) && !text.contains(char::is_alphabetic) {
        policy::parse_prefix(text).map_err(anyhow::Error::msg)?;
    }
    Ok(None)
}

/// The exemptions with a ticket. Of those that only contain the text none, if others have it as it is.
fn of_ticket(ticket: &str, source: &Source) -> anyhow::Result<Vec<Exemption>> {
    let mut found = source.list(&Listing {
        ticket: Some(ticket.to_owned()),
        all: true,
        ..Listing::default()
    })?;
    let is_whole = |exemption: &Exemption| {
        let its = exemption.terms.ticket.as_deref();
        its.is_some_and(|its| its.eq_ignore_ascii_case(ticket))
    };
    if found.iter().any(is_whole) {
        found.retain(is_whole);
    }
    Ok(found)
}

/// An address, or a prefix, whose host bits are ignored.
fn of_addresses(text: &str) -> Option<Subject> {
    let (kind, net) = if let Ok(address) = text.parse::<IpAddr>() {
        (AskedKind::Address, IpNet::from(address))
    } else {
        (AskedKind::Prefix, text.parse::<IpNet>().ok()?.trunc())
    };
    Some(Subject {
        kind,
        prefixes: vec![net],
    })
}

fn of_exemptions(kind: AskedKind, exemptions: &[Exemption]) -> Subject {
    let mut prefixes: Vec<IpNet> = Vec::new();
    for net in exemptions.iter().flat_map(|exemption| &exemption.terms.prefixes) {
        if !prefixes.contains(net) {
            prefixes.push(*net);
        }
    }
    Subject { kind, prefixes }
}
