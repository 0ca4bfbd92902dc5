//! Single packets that were blocked, monitored, exempt or that hid their ports, as they are shown: documents made of what the
//! program wrote to its ring buffer.

mod counts;
mod document;
mod page;
mod query;
#[cfg(test)]
mod tests;
mod words;

pub use self::{counts::EventCount, document::Event, page::EventPage, words::TcpFlags};
pub(crate) use self::{
    document::Made,
    query::{EventQuery, shown_reason},
};
