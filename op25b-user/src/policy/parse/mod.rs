//! Parses policies: from the text of a policy file to the types of the model.

mod alerts;
mod block;
mod context;
mod document;
mod events;
mod hints;
mod history;
mod interface;
mod limits;
mod lists;
mod mapping;
mod metrics;
mod nat64;
mod phases;
mod prefix;
mod prefix_list;
mod privacy;
mod rules;
mod seen;
mod spelling;
mod subscribers;
mod text;
mod vlan_tpids;
pub(crate) mod yaml;

pub(crate) use self::{
    context::Context,
    lists::list_names,
    mapping::{Mapping, duplicate_key, known_key},
    prefix::PREFIXES,
    prefix_list::split_prefixes,
};
pub use self::{
    document::Loaded,
    lists::{ListError, ListFiles, NoLists},
    prefix::parse_prefix,
    text::{parse, parse_at, parse_bytes, parse_with_lists},
};

/// The keys of each mapping of a policy file.
pub const KEYS: [&[&str]; 15] = [
    document::KEYS,
    interface::INTERFACE_KEYS,
    block::BLOCK_KEYS,
    subscribers::SUBSCRIBERS_KEYS,
    history::HISTORY_KEYS,
    events::EVENTS_KEYS,
    alerts::ALERTS_KEYS,
    rules::POOL_KEYS,
    phases::PHASE_KEYS,
    rules::RELAY_KEYS,
    rules::EXEMPTION_KEYS,
    limits::WIDEST_KEYS,
    privacy::PRIVACY_KEYS,
    metrics::METRICS_KEYS,
    metrics::TLS_KEYS,
];
