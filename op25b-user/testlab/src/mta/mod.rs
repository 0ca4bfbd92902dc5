//! Mail servers by other authors in hosts of the lab, unpacked and not installed: as servers, and as the clients that they are
//! to other servers.

mod daemon;
mod mailer;
mod server;

pub use self::{
    daemon::Daemon,
    mailer::{Mailer, Outcome, Patience, Software, message_id},
    server::{Mta, RECIPIENT},
};
