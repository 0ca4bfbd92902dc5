//! Parses policies: from the text of a policy file to the types of the model.

mod document;
mod keys;
mod lists;
mod not_utf8;
mod prefixes;
mod rules;
mod text;
mod values;
pub(crate) mod yaml;

use self::keys::{alerts, block, events, history, interface, limits, metrics, privacy, subscribers};
pub use self::{
    document::Loaded,
    lists::{ListError, ListFiles, NoLists},
    prefixes::parse_prefix,
    text::{parse, parse_at, parse_bytes, parse_with_lists},
};
pub(crate) use self::{
    document::list_names,
    prefixes::{PREFIXES, split_prefixes},
    values::{Context, Mapping, duplicate_key, known_key},
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
    rules::PHASE_KEYS,
    rules::RELAY_KEYS,
    rules::EXEMPTION_KEYS,
    limits::WIDEST_KEYS,
    privacy::PRIVACY_KEYS,
    metrics::METRICS_KEYS,
    metrics::TLS_KEYS,
];
