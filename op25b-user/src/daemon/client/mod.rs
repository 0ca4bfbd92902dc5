//! The client of the control socket.

mod body;
mod call;
mod requests;

pub(crate) use self::{
    call::ClientError,
    requests::{Client, EventFilter, HistoryFilter, Listing, MOST_SUBSCRIBERS, Reload, SessionFilter},
};
