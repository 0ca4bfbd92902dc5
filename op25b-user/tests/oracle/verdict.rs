//! The reasons and verdicts of the verdict table, without product code.

use std::fmt;

use serde::Deserialize;

/// What comes in on the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Subscriber,
    Uplink,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Uplink => "uplink",
        }
    }
}

/// What happens to the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Drop,
    Reject,
}

/// The row of the table that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    NotIp,
    NotTcp,
    LaterFragment,
    Uninspectable,
    OtherPort,
    NotPooled,
    Relay,
    Exempt,
    Established,
    Monitored,
    Blocked,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal,)* }) => {
        impl $type {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

words!(Verdict { Pass = "pass", Drop = "drop", Reject = "reject", });

words!(Reason {
    NotIp = "not_ip",
    NotTcp = "not_tcp",
    LaterFragment = "later_fragment",
    Uninspectable = "uninspectable",
    OtherPort = "other_port",
    NotPooled = "not_pooled",
    Relay = "relay",
    Exempt = "exempt",
    Established = "established",
    Monitored = "monitored",
    Blocked = "blocked",
});

/// The whole answer for one packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub verdict: Verdict,
    pub reason: Reason,
    /// Index into the list that the reason refers to.
    pub rule: Option<usize>,
    /// The frame afterwards; none if it is dropped.
    pub output: Option<Vec<u8>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verdict.name(), self.reason.name())?;
        if let Some(rule) = self.rule {
            write!(f, " by rule {rule}")?;
        }
        match &self.output {
            Some(output) if self.verdict == Verdict::Reject => write!(f, ", answered with {}", hex(output)),
            Some(output) => write!(f, ", {} bytes long", output.len()),
            None => Ok(()),
        }
    }
}

/// Bytes as one writes them into a case.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
