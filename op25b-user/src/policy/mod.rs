//! From a policy file to a validated policy, its map entries and its meaning. No kernel in here.
//!
//! ```text
//! text ── parse ──> model ── diagnostics::lint ──> warnings
//!                     │
//!      reference <────┴────> compile (map entries)
//! ```
//!
//! The modules depend on each other in one direction: `model` on none, `diagnostics`, `compile`, `diff` and `reference` on
//! `model`, and `parse` on `diagnostics` and `model`.

mod compile;
pub(crate) mod diagnostics;
mod diff;
mod model;
pub(crate) mod parse;
mod read;
mod reference;
mod sample_destination;
pub(crate) mod written;

pub use self::{
    compile::{Change, CompileError, Compiled, Entry, MOST_ADDRESSES, Places, Rewritten, Rules, compile},
    diagnostics::{Code, Diagnostic, Place, Report, Severity},
    diff::{Changes, Diff, Item, Items},
    model::{
        Action, Block, Exemption, ExemptionLimits, Flow, Handling, Inbound, Interface, Match, Policy, Pool,
        PoolMode, Position, Prefix, Prohibit, Relay, Role, Rule, RuleDescription, Subscribers, Tunnel, Wait,
        Word, XdpMode,
    },
    parse::{Loaded, end, parse, parse_at, parse_bytes, prefix},
    read::{LoadError, load},
    reference::{Judgement, judge},
    sample_destination::somewhere,
};
