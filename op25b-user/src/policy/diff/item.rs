//! Items of a policy's lists, as two policies are compared: what identifies one, and its fields.

use std::hash::Hash;

use crate::policy::model::{Block, Exemption, ExemptionLimits, Interface, Pool, Prefix, Relay, Subscribers};

/// An item of a policy's lists, as two policies are compared by it.
pub(super) trait DiffItem {
    /// What identifies an item in both policies.
    type Key<'a>: Eq + Hash
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;

    /// Its name in output.
    fn label(&self) -> String;

    /// Its fields by their keys, without those that have no value.
    fn fields(&self) -> Vec<(&'static str, Value)>;

    /// Whether all fields are equal, as far as a quick comparison finds: there may be a million of them.
    fn is_equal(&self, other: &Self) -> bool;
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    One(String),
    /// Values in no particular order.
    Many(Vec<String>),
}

fn many<T: ToString>(items: &[T]) -> Value {
    Value::Many(items.iter().map(ToString::to_string).collect())
}

fn one(value: &impl ToString) -> Value {
    Value::One(value.to_string())
}

fn are_same(one: &[Prefix], other: &[Prefix]) -> bool {
    let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect::<Vec<_>>();
    nets(one) == nets(other)
}

impl DiffItem for Interface {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn label(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("role", one(&self.role)),
            ("xdp", one(&self.xdp)),
            ("tunnels", many(&self.tunnels)),
            ("wait", one(&self.wait)),
        ]
        .into_iter()
        .filter(|(_, value)| *value != Value::Many(Vec::new()))
        .collect()
    }

    fn is_equal(&self, other: &Self) -> bool {
        (self.role, self.xdp, self.wait) == (other.role, other.xdp, other.wait)
            && self.tunnels == other.tunnels
    }
}

impl DiffItem for Block {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "block".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
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
            fields.push(("prohibit_from", Value::Many(from)));
            fields.push(("prohibit_rate", one(&prohibit.rate)));
        }
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        self == other
    }
}

impl DiffItem for Subscribers {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "subscribers".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("ipv6_prefix", one(&self.ipv6_prefix))]
    }

    fn is_equal(&self, other: &Self) -> bool {
        self == other
    }
}

impl DiffItem for ExemptionLimits {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "limits".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields: Vec<_> = self
            .max_age
            .map(|age| ("exemption_max_age", Value::One(format!("{age:#}"))))
            .into_iter()
            .collect();
        let widest = format!("ipv4 /{}, ipv6 /{}", self.widest_v4, self.widest_v6);
        fields.push(("exemption_widest", Value::One(widest)));
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        self == other
    }
}

impl DiffItem for Pool {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn label(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("prefixes", many(&self.prefixes)), ("mode", one(&self.mode))];
        fields.extend(self.enforce_from.map(|from| ("enforce_from", one(&from))));
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        (self.mode, self.enforce_from) == (other.mode, other.enforce_from)
            && are_same(&self.prefixes, &other.prefixes)
    }
}

impl DiffItem for Relay {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn label(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("prefixes", many(&self.prefixes))]
    }

    fn is_equal(&self, other: &Self) -> bool {
        are_same(&self.prefixes, &other.prefixes)
    }
}

/// An exemption's id, or its customer and prefixes if it has none.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum ExemptionKey<'a> {
    Id(&'a str),
    Of(&'a str, Vec<ipnet::IpNet>),
}

impl DiffItem for Exemption {
    type Key<'a> = ExemptionKey<'a>;

    fn key(&self) -> ExemptionKey<'_> {
        if let Some(id) = &self.id {
            return ExemptionKey::Id(id);
        }
        let mut nets = self.terms.prefixes.to_vec();
        nets.sort();
        ExemptionKey::Of(&self.terms.customer, nets)
    }

    fn label(&self) -> String {
        match &self.id {
            Some(id) => format!("{id} ({})", self.terms.customer),
            None => self.terms.customer.to_string(),
        }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let terms = &self.terms;
        let mut fields = vec![("prefixes", many(&terms.prefixes))];
        if self.id.is_some() {
            fields.push(("customer", one(&terms.customer)));
        }
        if !terms.destinations.is_empty() {
            fields.push(("destinations", many(&terms.destinations)));
        }
        fields.extend(terms.ticket.as_ref().map(|ticket| ("ticket", one(ticket))));
        fields.extend(terms.note.as_ref().map(|note| ("note", one(note))));
        fields.extend(self.created.map(|created| ("created", one(&created))));
        fields.extend(terms.expires_at.map(|expires| ("expires", one(&expires))));
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        self.created == other.created && self.terms == other.terms
    }
}
