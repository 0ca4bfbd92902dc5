//! What makes two items of two policies the same one, and what each says.

use std::hash::Hash;

use crate::policy::model::{Block, Exemption, ExemptionLimits, Interface, Pool, Prefix, Relay, Subscribers};

/// An item of a policy's lists, as two policies are compared by it.
pub(super) trait Listed {
    /// What makes two items one that has changed.
    type Key<'a>: Eq + Hash
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;

    /// What it is called in output.
    fn called(&self) -> String;

    /// What it says, key by key; what it does not say is left out.
    fn says(&self) -> Vec<(&'static str, Said)>;

    /// Whether two say the same, as far as that can be told quickly: there may be a million of them.
    fn is_plainly(&self, other: &Self) -> bool;
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    One(String),
    /// Without an order.
    Many(Vec<String>),
}

fn many<T: ToString>(items: &[T]) -> Said {
    Said::Many(items.iter().map(ToString::to_string).collect())
}

fn one(value: &impl ToString) -> Said {
    Said::One(value.to_string())
}

fn are_same(one: &[Prefix], other: &[Prefix]) -> bool {
    let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect::<Vec<_>>();
    nets(one) == nets(other)
}

impl Listed for Interface {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn called(&self) -> String {
        self.name.clone()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        vec![
            ("role", one(&self.role)),
            ("xdp", one(&self.xdp)),
            ("tunnels", many(&self.tunnels)),
            ("wait", one(&self.wait)),
        ]
        .into_iter()
        .filter(|(_, said)| *said != Said::Many(Vec::new()))
        .collect()
    }

    fn is_plainly(&self, other: &Self) -> bool {
        (self.role, self.xdp, self.wait) == (other.role, other.xdp, other.wait)
            && self.tunnels == other.tunnels
    }
}

impl Listed for Block {
    type Key<'a> = ();

    fn key(&self) {}

    fn called(&self) -> String {
        "block".into()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        let mut says = vec![
            ("ports", many(&self.ports)),
            ("match", one(&self.match_)),
            ("action", one(&self.action)),
            ("uninspectable", one(&self.uninspectable)),
            ("unlisted", one(&self.unlisted)),
            ("inbound", one(&self.inbound)),
        ];
        if let Some(prohibit) = self.prohibit {
            let mut from: Vec<String> = Vec::new();
            from.extend(prohibit.router_v4.map(|address| address.to_string()));
            from.extend(prohibit.router_v6.map(|address| address.to_string()));
            says.push(("prohibit_from", Said::Many(from)));
            says.push(("prohibit_rate", one(&prohibit.rate)));
        }
        says
    }

    fn is_plainly(&self, other: &Self) -> bool {
        self == other
    }
}

impl Listed for Subscribers {
    type Key<'a> = ();

    fn key(&self) {}

    fn called(&self) -> String {
        "subscribers".into()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        vec![("ipv6_prefix", one(&self.ipv6_prefix))]
    }

    fn is_plainly(&self, other: &Self) -> bool {
        self == other
    }
}

impl Listed for ExemptionLimits {
    type Key<'a> = ();

    fn key(&self) {}

    fn called(&self) -> String {
        "limits".into()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        let mut says: Vec<_> = self
            .max_age
            .map(|age| ("exemption_max_age", Said::One(format!("{age:#}"))))
            .into_iter()
            .collect();
        let widest = format!("ipv4 /{}, ipv6 /{}", self.widest_v4, self.widest_v6);
        says.push(("exemption_widest", Said::One(widest)));
        says
    }

    fn is_plainly(&self, other: &Self) -> bool {
        self == other
    }
}

impl Listed for Pool {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn called(&self) -> String {
        self.name.clone()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        let mut says = vec![("prefixes", many(&self.prefixes)), ("mode", one(&self.mode))];
        says.extend(self.enforce_from.map(|from| ("enforce_from", one(&from))));
        says
    }

    fn is_plainly(&self, other: &Self) -> bool {
        (self.mode, self.enforce_from) == (other.mode, other.enforce_from)
            && are_same(&self.prefixes, &other.prefixes)
    }
}

impl Listed for Relay {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn called(&self) -> String {
        self.name.clone()
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        vec![("prefixes", many(&self.prefixes))]
    }

    fn is_plainly(&self, other: &Self) -> bool {
        are_same(&self.prefixes, &other.prefixes)
    }
}

/// An exemption's id, or what it has instead.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum ExemptionKey<'a> {
    Id(&'a str),
    Of(&'a str, Vec<ipnet::IpNet>),
}

impl Listed for Exemption {
    type Key<'a> = ExemptionKey<'a>;

    fn key(&self) -> ExemptionKey<'_> {
        if let Some(id) = &self.id {
            return ExemptionKey::Id(id);
        }
        let mut nets: Vec<_> = self.prefixes.iter().map(|prefix| prefix.net).collect();
        nets.sort();
        ExemptionKey::Of(&self.customer, nets)
    }

    fn called(&self) -> String {
        match &self.id {
            Some(id) => format!("{id} ({})", self.customer),
            None => self.customer.to_string(),
        }
    }

    fn says(&self) -> Vec<(&'static str, Said)> {
        let mut says = vec![("prefixes", many(&self.prefixes))];
        if self.id.is_some() {
            says.push(("customer", one(&self.customer)));
        }
        if !self.destinations.is_empty() {
            says.push(("destinations", many(&self.destinations)));
        }
        says.extend(self.ticket.as_ref().map(|ticket| ("ticket", one(ticket))));
        says.extend(self.note.as_ref().map(|note| ("note", one(note))));
        says.extend(self.created.map(|created| ("created", one(&created))));
        says.extend(self.expires.map(|expires| ("expires", one(&expires))));
        says
    }

    fn is_plainly(&self, other: &Self) -> bool {
        let texts = |exemption: &Self| {
            (
                exemption.customer.clone(),
                exemption.ticket.clone(),
                exemption.note.clone(),
            )
        };
        (self.created, self.expires) == (other.created, other.expires)
            && are_same(&self.prefixes, &other.prefixes)
            && are_same(&self.destinations, &other.destinations)
            && texts(self) == texts(other)
    }
}
