//! Who requests a change of the exemptions.

use crate::store::{Actor, RequestKey};

/// The user who requests a change, and what makes a repetition of the request known.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The user.
    pub(crate) actor: Actor,
    /// The key and the digest of the request; without a key a repetition is a new request.
    pub(crate) request: Option<RequestKey>,
}
