//! What is asked of the daemon at its control socket, and where the answers go.

use std::net::IpAddr;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    api::{
        Added, Explained, ExtendExemption, Extended, ImportExemptions, Imported, NewExemption, Problem,
        Removed,
    },
    enforcer::Requester,
    policy,
    report::ReloadAnswer,
    store::{Actor, RequestKey},
};

/// Where an answer goes; whoever waited for it may have gone away.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Problem>>;

/// Who asks for a change.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) actor: Actor,
    /// The key by which a repetition of the request is known (`Idempotency-Key`).
    pub(crate) key: Option<String>,
}

impl Caller {
    /// The same for one request, which is known again by a digest of what it asks for.
    pub(super) fn requests(self, what: &str, request: &impl Serialize) -> Requester {
        let Self { actor, key } = self;
        let request = key.map(|key| RequestKey {
            uid: actor.uid,
            key,
            digest: {
                // What came as JSON can be written as JSON.
                let text = serde_json::to_string(request).unwrap_or_default();
                policy::digest(format!("{what} {text}").as_bytes())
            },
        });
        Requester { actor, request }
    }
}

/// What is asked for.
pub(crate) enum Request {
    /// Reloading the policy.
    Reload {
        /// Only saying what would change.
        dry_run: bool,
        /// Where the answer goes.
        answer: oneshot::Sender<ReloadAnswer>,
    },
    /// Adding an exemption.
    Add {
        /// The exemption.
        exemption: NewExemption,
        /// By whom.
        caller: Caller,
        /// Where the answer goes.
        answer: Answer<Added>,
    },
    /// Changing when an exemption ends.
    Extend {
        /// Which one.
        id: String,
        /// To when.
        extend: ExtendExemption,
        /// By whom.
        caller: Caller,
        /// Where the answer goes.
        answer: Answer<Extended>,
    },
    /// Removing an exemption.
    Remove {
        /// Which one.
        id: String,
        /// Why.
        reason: String,
        /// By whom.
        caller: Caller,
        /// Where the answer goes.
        answer: Answer<Removed>,
    },
    /// Adding many exemptions at once.
    Import {
        /// The exemptions.
        import: ImportExemptions,
        /// By whom.
        caller: Caller,
        /// Where the answer goes.
        answer: Answer<Imported>,
    },
    /// Asking the program in the kernel about a connection.
    Explain {
        /// From whom.
        source: IpAddr,
        /// To whom; to somebody whom no rule names, if not said.
        destination: Option<IpAddr>,
        /// To which port.
        port: u16,
        /// Where the answer goes.
        answer: Answer<Explained>,
    },
}
