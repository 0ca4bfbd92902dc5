//! Items of a policy's lists, as two policies are compared: what identifies one, and its fields.
//!
//! `fields` and `is_equal` destructure their item without `..`, so that a new field does not compile until it is compared: a
//! reload would enforce it, but not report its change.

use std::hash::Hash;

use jiff::SignedDuration;

use crate::{
    exemption::Terms,
    policy::model::{
        Alerts, Block, EnforceFrom, Events, Exemption, ExemptionLimits, History, Interface, MetricsServer,
        MetricsTls, Nat64Prefix, Phase, Pool, Prefix, Privacy, Prohibit, Relay, Remember, Subscribers,
    },
};

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

    /// Whether all fields are equal. Items of which there may be a million have a quicker comparison.
    fn is_equal(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
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
        let Self {
            name: _,
            role,
            xdp,
            tunnels,
            mpls,
            wait,
            at: _,
        } = self;
        vec![
            ("role", one(role)),
            ("xdp", one(xdp)),
            ("tunnels", many(tunnels)),
            ("mpls", one(mpls)),
            ("wait", one(wait)),
        ]
        .into_iter()
        .filter(|(_, value)| *value != Value::Many(Vec::new()))
        .collect()
    }
}

impl DiffItem for Block {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "block".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self {
            ports,
            match_,
            action,
            reset_rate,
            prohibit,
            uninspectable,
            unlisted,
            unlisted_paused_until: _,
            inbound,
            vlan_tpids,
        } = self;
        let mut fields = vec![
            ("ports", many(ports)),
            ("match", one(match_)),
            ("action", one(action)),
            ("uninspectable", one(uninspectable)),
            ("unlisted", one(unlisted)),
            ("inbound", one(inbound)),
        ];
        if let Some(rate) = reset_rate {
            fields.push(("reset_rate", one(rate)));
        }
        if !vlan_tpids.is_empty() {
            let tpids = vlan_tpids.iter().map(|tpid| format!("{tpid:#06x}"));
            fields.push(("vlan_tpids", Value::Many(tpids.collect())));
        }
        if let Some(Prohibit {
            router_v4,
            router_v6,
            rate,
            at: _,
        }) = prohibit
        {
            let mut from: Vec<String> = Vec::new();
            from.extend(router_v4.map(|address| address.to_string()));
            from.extend(router_v6.map(|address| address.to_string()));
            fields.push(("prohibit_from", Value::Many(from)));
            fields.push(("prohibit_rate", one(rate)));
        }
        fields
    }
}

impl DiffItem for Nat64Prefix {
    type Key<'a> = Self;

    fn key(&self) -> Self {
        *self
    }

    fn label(&self) -> String {
        self.net().to_string()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl DiffItem for Subscribers {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "subscribers".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self {
            ipv6_prefix,
            remember,
        } = self;
        let remember = match remember {
            Remember::All => one(&true),
            Remember::Nothing => one(&false),
            Remember::Pools(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                one(&names.join(", "))
            }
        };
        vec![("ipv6_prefix", one(ipv6_prefix)), ("remember", remember)]
    }
}

impl DiffItem for Privacy {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "privacy".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self {
            retain,
            monitor_retain,
            require_reason,
        } = self;
        let time = |time: &Option<SignedDuration>| match time {
            Some(time) => Value::One(format!("{time:#}")),
            None => one(&"forever"),
        };
        vec![
            ("retain", time(retain)),
            ("monitor_retain", time(monitor_retain)),
            ("require_reason", one(require_reason)),
        ]
    }
}

impl DiffItem for Option<History> {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "history".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Some(History {
            bucket,
            keep,
            max_size,
        }) = self
        else {
            return vec![("recorded", one(&"off"))];
        };
        vec![
            ("recorded", one(&"on")),
            ("bucket", Value::One(format!("{bucket:#}"))),
            ("keep", Value::One(format!("{keep:#}"))),
            ("max_size", one(max_size)),
        ]
    }
}

impl DiffItem for ExemptionLimits {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "limits".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self {
            max_age,
            widest_v4,
            widest_v6,
        } = self;
        let mut fields: Vec<_> = max_age
            .map(|age| ("exemption_max_age", Value::One(format!("{age:#}"))))
            .into_iter()
            .collect();
        let widest = format!("ipv4 /{widest_v4}, ipv6 /{widest_v6}");
        fields.push(("exemption_widest", Value::One(widest)));
        fields
    }
}

impl DiffItem for Option<Events> {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "events".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Some(Events { destination, exempt }) = self else {
            return vec![("shown", one(&false))];
        };
        vec![
            ("shown", one(&true)),
            ("destination", one(destination)),
            ("exempt", one(exempt)),
        ]
    }
}

impl DiffItem for Option<Alerts> {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "alerts".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Some(Alerts {
            syns_per_minute,
            destinations,
            exempt_syns_per_minute,
        }) = self
        else {
            return vec![("about", one(&"nobody"))];
        };
        let beyond = |threshold: &Option<u32>| match threshold {
            Some(threshold) => one(threshold),
            None => one(&"any number"),
        };
        vec![
            ("about", one(&"subscribers")),
            ("syns_per_minute", beyond(syns_per_minute)),
            ("destinations", beyond(destinations)),
            ("exempt_syns_per_minute", beyond(exempt_syns_per_minute)),
        ]
    }
}

impl DiffItem for Option<MetricsServer> {
    type Key<'a> = ();

    fn key(&self) {}

    fn label(&self) -> String {
        "metrics".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Some(MetricsServer { listen, allow, tls }) = self else {
            return vec![("listen", one(&"nowhere"))];
        };
        let mut fields = vec![("listen", many(listen))];
        if !allow.is_empty() {
            fields.push(("allow", many(allow)));
        }
        if let Some(MetricsTls { cert, key, client_ca }) = tls {
            fields.push(("cert", one(&cert.display())));
            fields.push(("key", one(&key.display())));
            fields.extend(client_ca.as_ref().map(|ca| ("client_ca", one(&ca.display()))));
        }
        fields
    }
}

/// `from 2027-04-01T00:00:00Z only_to 192.0.2.0/24, 203.0.113.0/24`
fn shown_phase(phase: &Phase) -> String {
    let Phase { from, only_to } = phase;
    let from = from.map(|from| format!("from {}", from.at));
    let prefixes: Vec<_> = only_to.iter().map(ToString::to_string).collect();
    let only_to = (!prefixes.is_empty()).then(|| format!("only_to {}", prefixes.join(", ")));
    let parts: Vec<_> = from.into_iter().chain(only_to).collect();
    parts.join(" ")
}

/// Whether two phases are equal. Whether one was reached is nothing of the file.
fn is_same_phase(one: &Phase, other: &Phase) -> bool {
    let Phase { from, only_to } = one;
    let date = |from: Option<EnforceFrom>| from.map(|from| from.at);
    date(*from) == date(other.from) && are_same(only_to, &other.only_to)
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
        let Self {
            name: _,
            prefixes,
            mode,
            phases,
            paused_until: _,
            at: _,
        } = self;
        let mut fields = vec![("prefixes", many(prefixes)), ("mode", one(mode))];
        if let [Phase { from, only_to }] = &phases[..] {
            fields.extend(from.map(|from| ("enforce_from", one(&from.at))));
            fields.extend((!only_to.is_empty()).then(|| ("only_to", many(only_to))));
        } else {
            fields.push(("phases", Value::Many(phases.iter().map(shown_phase).collect())));
        }
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        let Self {
            name: _,
            prefixes,
            mode,
            phases,
            paused_until: _,
            at: _,
        } = self;
        *mode == other.mode
            && phases.len() == other.phases.len()
            && (phases.iter().zip(&other.phases)).all(|(one, other)| is_same_phase(one, other))
            && are_same(prefixes, &other.prefixes)
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
        let Self {
            name: _,
            prefixes,
            at: _,
        } = self;
        vec![("prefixes", many(prefixes))]
    }

    fn is_equal(&self, other: &Self) -> bool {
        let Self {
            name: _,
            prefixes,
            at: _,
        } = self;
        are_same(prefixes, &other.prefixes)
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
        if let Some(id) = self.id() {
            return ExemptionKey::Id(id);
        }
        let mut nets = self.terms.prefixes.to_vec();
        nets.sort();
        ExemptionKey::Of(&self.terms.customer, nets)
    }

    fn label(&self) -> String {
        match self.id() {
            Some(id) => format!("{id} ({})", self.terms.customer),
            None => self.terms.customer.to_string(),
        }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self {
            terms,
            origin: _,
            registration: _,
        } = self;
        let Terms {
            customer,
            prefixes,
            destinations,
            ticket,
            note,
            expires_at,
        } = terms;
        let mut fields = vec![("prefixes", many(prefixes))];
        if self.id().is_some() {
            fields.push(("customer", one(customer)));
        }
        if !destinations.is_empty() {
            fields.push(("destinations", many(destinations)));
        }
        fields.extend(ticket.as_ref().map(|ticket| ("ticket", one(ticket))));
        fields.extend(note.as_ref().map(|note| ("note", one(note))));
        fields.extend(self.created().map(|created| ("created", one(&created))));
        fields.extend(expires_at.map(|expires| ("expires", one(&expires))));
        fields
    }

    fn is_equal(&self, other: &Self) -> bool {
        let Self {
            terms,
            origin: _,
            // The id is the key.
            registration: _,
        } = self;
        *terms == other.terms && self.created() == other.created()
    }
}
