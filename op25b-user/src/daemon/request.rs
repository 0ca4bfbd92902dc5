//! The requests of the control socket to the daemon, each with the channel for its answer.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    api::{
        Added, Explained, ExtendExemption, Extended, ImportExemptions, Imported, NewExemption, PauseAnswer,
        PauseRequest, Problem, RemoveExemptions, Removed, RemovedExemptions, RestoreExemption, Restored,
        ResumeRequest,
    },
    datapath::LoadedBy,
    enforcer::{Connection, Requester},
    policy,
    report::{Confirmed, ReloadAnswer},
    store::{Actor, RequestKey},
};

/// The channel for the response to a request. The client that waits for it may have gone away.
pub(crate) type ResponseSender<T> = oneshot::Sender<Result<T, Problem>>;

/// The authenticated client of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) actor: Actor,
    /// The `Idempotency-Key` of the request.
    pub(crate) key: Option<String>,
}

impl Caller {
    /// This client as what has a policy loaded.
    pub(super) fn loads_by(self, what: &str) -> LoadedBy {
        LoadedBy {
            uid: Some(self.actor.uid),
            user: Some(self.actor.name),
            ..LoadedBy::now(what)
        }
    }

    /// The requester of a change. The digest of the request shows whether the key is used for another one.
    pub(super) fn requester(self, what: &str, request: &impl Serialize) -> Requester {
        let Self { actor, key } = self;
        let request = key.map(|key| RequestKey {
            uid: actor.uid,
            key,
            digest: {
                // A request that was parsed from JSON can be serialized.
                let text = serde_json::to_string(request).unwrap_or_default();
                policy::digest(format!("{what} {text}").as_bytes())
            },
        });
        Requester { actor, request }
    }
}

/// A request.
pub(crate) enum Request {
    /// Reload the policy.
    Reload {
        /// Only report what would change.
        dry_run: bool,
        /// Since when attempts count for the impact of a dry run; without it, since a day ago.
        since: Option<Timestamp>,
        /// Go back unless it is confirmed within this time.
        confirm_within: Option<Duration>,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: oneshot::Sender<ReloadAnswer>,
    },
    /// Confirm the reload that waits for it.
    Confirm {
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Confirmed>,
    },
    /// Monitor pools only, for a while.
    Pause {
        /// The pause.
        pause: PauseRequest,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<PauseAnswer>,
    },
    /// End pauses.
    Resume {
        /// Which.
        resume: ResumeRequest,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<PauseAnswer>,
    },
    /// Add an exemption.
    Add {
        /// The exemption.
        exemption: NewExemption,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Added>,
    },
    /// Change the expiry of an exemption.
    Extend {
        /// Its id.
        id: String,
        /// The new expiry.
        extend: ExtendExemption,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Extended>,
    },
    /// Remove an exemption.
    Remove {
        /// Its id.
        id: String,
        /// The reason, for the history.
        reason: String,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Removed>,
    },
    /// Remove many exemptions: all or none.
    RemoveMany {
        /// Which, and why.
        remove: RemoveExemptions,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<RemovedExemptions>,
    },
    /// Put a removed exemption in force again.
    Restore {
        /// Its id.
        id: String,
        /// Its new expiry, and the reason.
        restore: RestoreExemption,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Restored>,
    },
    /// Add many exemptions: all or none.
    Import {
        /// The exemptions.
        import: ImportExemptions,
        /// The client.
        caller: Caller,
        /// The channel for the answer.
        answer: ResponseSender<Imported>,
    },
}

/// A question about what is enforced: what the program in the kernel does with a connection. It changes nothing, and waits for no
/// change.
pub(crate) struct Question {
    /// The connection.
    pub(crate) connection: Connection,
    /// The channel for the answer.
    pub(crate) answer: ResponseSender<Explained>,
}
