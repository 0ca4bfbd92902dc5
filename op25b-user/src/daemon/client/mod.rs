//! The client of the control socket.

mod body;
mod call;
mod newest;
mod requests;

pub(crate) use self::{
    call::ClientError,
    newest::{AlertFilter, Asked, EventFilter},
    requests::{Client, HistoryFilter, Listing, MOST_SUBSCRIBERS, Reload, SessionFilter},
};
