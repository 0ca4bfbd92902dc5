//! What happens to a blocked segment.

use core::fmt;

/// The policy's `action:`, as the global [`crate::names::ACTION`] holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// Discarded without an answer.
    Drop = 0,
    /// Answered with a TCP reset.
    Reset = 1,
    /// Answered with an ICMP error, "administratively prohibited".
    Prohibit = 2,
}

impl Action {
    /// Every action, by number.
    pub const ALL: [Self; 3] = [Self::Drop, Self::Reset, Self::Prohibit];

    /// The word in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::Prohibit => "prohibit",
        }
    }

    /// The action with this number.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Drop),
            1 => Some(Self::Reset),
            2 => Some(Self::Prohibit),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

const _: () = {
    let mut number = 0;
    while number < Action::ALL.len() {
        assert!(Action::ALL[number] as usize == number, "Action::ALL is by number");
        number += 1;
    }
};
