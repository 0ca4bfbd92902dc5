//! What was done to the filter, and by whom: starts, stops, reloads, pauses and the like, for those who look for the cause of what
//! they see.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Actor;

macro_rules! kinds {
    // A token as it is: inside of a group, as a `literal` is passed on, `ToSchema` does not see the word.
    ($($(#[$doc:meta])* $variant:ident = $word:tt,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum OperationKind { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl OperationKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word in the store, in JSON and in the log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

kinds! {
    /// A daemon began to enforce.
    Start = "start",
    /// A daemon ended; the filter stayed in force.
    Stop = "stop",
    /// Another policy was loaded.
    Reload = "reload",
    /// A policy was refused, and the one before stayed in force.
    ReloadRefused = "reload_refused",
    /// A policy that was loaded on trial was confirmed.
    Confirm = "confirm",
    /// The policy before was loaded again, as the one on trial was not confirmed.
    WentBack = "went_back",
    /// A pool was paused, or all of them: its subscribers were monitored only.
    Pause = "pause",
    /// A pause was ended.
    Resume = "resume",
    /// The filter was detached.
    Detach = "detach",
    /// Records of subscribers were removed on request.
    Forget = "forget",
    /// Records of subscribers were read. These are listed apart.
    Read = "read",
}

/// One operation. It is never changed, and removed after a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The user who did it; op25b itself, under the daemon's number, if nobody is known.
    pub by: Actor,
    /// What was done.
    pub what: OperationKind,
    /// The pool that it concerns; none if it concerns all of them.
    #[serde(default)]
    pub pool: Option<String>,
    /// The reason that the user gave.
    #[serde(default)]
    pub reason: Option<String>,
    /// More about it, for people: what asked for a reload, or why a policy was refused.
    #[serde(default)]
    pub detail: Option<String>,
    /// Until when it lasts, of a pause or a policy on trial.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// A filter for operations; a field without a value matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationQuery {
    /// Those at this time or later.
    pub since: Option<Timestamp>,
    /// Those that are about reading the records of subscribers, instead of all others.
    pub reads: bool,
    /// The most operations; the newest are read.
    pub limit: usize,
}

impl Operation {
    /// An operation that is done now.
    #[must_use]
    pub fn now(what: OperationKind, by: Actor) -> Self {
        Self {
            at: Timestamp::now(),
            by,
            what,
            pool: None,
            reason: None,
            detail: None,
            until: None,
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}
