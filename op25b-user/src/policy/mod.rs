//! From a policy file to a validated policy, its map entries and its meaning. Does not use the kernel.
//!
//! ```text
//! text ── parse ──> model ── diagnostics::lint ──> warnings
//!                     │
//!      reference <────┴────> compile (map entries) ──> proof (that they say what the model does)
//! ```
//!
//! The modules depend on each other in one direction: `characters`, `encoding` and `model` on none of them, `diagnostics`, `compile`,
//! `diff` and `reference` on `model`, `parse` on `diagnostics` and `model`, `texts` on `parse`, `proof` on `compile`, and `read` on `texts` and `compile`.

pub(crate) mod characters;
mod compile;
pub(crate) mod diagnostics;
mod diff;
pub(crate) mod encoding;
mod model;
pub(crate) mod parse;
pub(crate) mod pool_addresses;
pub(crate) mod prefix_set;
mod proof;
mod read;
pub mod reference;
mod sample_destination;
mod texts;

pub(crate) use self::compile::subscriber_bits;
pub(crate) use self::sample_destination::sample_destinations;
pub(crate) use self::texts::{Digesting, PolicyFiles, Reading, combined};
pub use self::{
    compile::{
        CompileError, Compiled, Dates, LruAddresses, MOST_IN_ARRAY, RecordIndex, Rewritten, RuleChange,
        Rules, TrieEntry, compile, compile_without_expired,
    },
    diagnostics::{Code, Diagnostic, Location, Report, Severity},
    diff::{Delta, Diff, Item, Items},
    model::{
        Action, Alerts, Block, DecidingPhase, EnforceFrom, EventDestination, EventExemptions, Events,
        Exemption, ExemptionLimits, FileNumber, Flow, Handling, History, Inbound, Interface, List, Match,
        MetricsServer, MetricsTls, Mpls, Nat64, Nat64Prefix, NotNat64, Origin, Pause, PauseEnd, Pauses,
        Phase, Policy, Pool, PoolMode, Position, Positions, Prefix, Privacy, Prohibit, ReachedDate,
        ReachedDates, Relay, Role, Rule, RuleDescription, Subscribers, Tunnel, Wait, Word, XdpMode,
        exemption_id,
    },
    parse::{
        KEYS, ListError, ListFiles, Loaded, NoLists, parse, parse_at, parse_bytes, parse_prefix,
        parse_with_lists,
    },
    proof::{Difference, Proof, prove},
    read::{File, ReadError, read, read_digested, read_holding, read_text, read_texts},
    sample_destination::sample_destination,
    texts::{ReadList, digest},
};
