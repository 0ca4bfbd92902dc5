//! What alerts are sent to: the URL of a webhook, and the secret that it shares.

mod receiver;
mod signature;

pub(crate) use self::{
    receiver::{Proxy, Receiver},
    signature::Secret,
};

/// What the state of a sender begins with that could not send the last alert, in its journal and in `systemctl status`.
pub(crate) const CANNOT_SEND: &str = "cannot send an alert";
