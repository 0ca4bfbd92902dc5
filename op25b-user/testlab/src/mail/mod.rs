//! SMTP for the lab: a server that keeps what it accepts, and a client.

mod certificate;
mod client;
mod server;
mod session;

pub use self::{
    certificate::Certificate,
    client::{Outcome, Target, deliver},
    server::{Delivery, MailServer},
};

/// How a client talks to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Server to server, in the clear and without a password: port 25.
    Transfer,
    /// Submission by a customer: port 587, STARTTLS and a password.
    Submission,
    /// Submission over TLS from the first byte: port 465 and a password.
    Submissions,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Transfer, Self::Submission, Self::Submissions];

    /// Its port.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Transfer => 25,
            Self::Submission => 587,
            Self::Submissions => 465,
        }
    }
}

/// The customer's account with the lab's mail server.
const USER: &str = "customer";
/// Its password: it protects nothing, but submission without one would not be submission.
const PASSWORD: &str = "lab";
