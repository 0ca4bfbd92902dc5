//! The types of a policy; parsing checks everything, so that a policy is valid.

mod alerts;
mod events;
mod exemption;
mod history;
mod limits;
mod metrics;
mod nat64;
mod pause;
mod phase;
mod policy;
mod position;
mod privacy;
mod reached;
mod rule;
mod word;

pub(crate) use self::exemption::{Precedence, Registration};
pub use self::{
    alerts::Alerts,
    events::Events,
    exemption::{Exemption, Origin, Positions, exemption_id},
    history::History,
    limits::ExemptionLimits,
    metrics::{MetricsServer, MetricsTls},
    nat64::{Nat64, Nat64Prefix, NotNat64},
    pause::{Pause, PauseEnd, Pauses},
    phase::{DecidingPhase, EnforceFrom, Phase},
    policy::{Block, Interface, Policy, Pool, Prohibit, Relay, Remember, Subscribers},
    position::{FileNumber, List, Position, Prefix},
    privacy::Privacy,
    reached::{ReachedDate, ReachedDates},
    rule::{Flow, Rule, RuleDescription},
    word::{
        Action, EventDestination, EventExemptions, Handling, Inbound, Match, Mpls, PoolMode, Role, Tunnel,
        Wait, Word, XdpMode,
    },
};
