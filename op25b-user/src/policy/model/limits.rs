//! Limits of exemptions that are added at run time: how long they may last, and how wide they may be.

use jiff::SignedDuration;

/// Limits of exemptions that are added at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExemptionLimits {
    /// The longest duration of an exemption without a warning.
    pub max_age: Option<SignedDuration>,
    /// The shortest IPv4 prefix length that is accepted without `--force`.
    pub widest_v4: u8,
    /// The same for IPv6.
    pub widest_v6: u8,
}

impl Default for ExemptionLimits {
    fn default() -> Self {
        Self {
            max_age: None,
            widest_v4: 24,
            widest_v6: 48,
        }
    }
}
