//! Enumerations that the policy file writes as words.

use std::fmt;

pub use op25b_common::{Action, Tunnel};

/// An enumeration that the policy file writes as words.
pub trait Word: Copy + 'static {
    /// Every value, in the order of the documentation.
    const ALL: &'static [Self];

    /// The word in the policy file.
    fn name(self) -> &'static str;
}

/// Words for the enums that the program shares.
macro_rules! shared_words {
    ($($name:ident)*) => {$(
        impl Word for $name {
            const ALL: &'static [Self] = &Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }
        }
    )*};
}

shared_words!(Action Tunnel);

macro_rules! words {
    ($($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)* }

        impl Word for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn name(self) -> &'static str {
                self.name()
            }
        }

        impl $name {
            /// The word in the policy file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    )*};
}

words! {
    /// Whose packets an interface receives.
    pub enum Role {
        /// Subscribers'.
        Subscriber = "subscriber",
        /// The Internet's.
        Uplink = "uplink",
    }

    /// Whether an interface may be missing when the filter starts.
    pub enum Wait {
        /// It may be missing: the filter is attached once it exists.
        Yes = "true",
        /// It must exist.
        No = "false",
    }

    /// Whether MPLS labels are skipped on an interface.
    pub enum Mpls {
        /// They are skipped.
        Skipped = "true",
        /// Frames with labels are not IP.
        NotParsed = "false",
    }

    /// How the XDP program is attached.
    pub enum XdpMode {
        /// Native if the driver supports it, else generic with a warning.
        Auto = "auto",
        /// In the driver.
        Native = "native",
        /// In the kernel's network stack, after the driver.
        Generic = "generic",
    }

    /// Which segments are blocked.
    pub enum Match {
        /// All.
        All = "all",
        /// Those that open a connection.
        New = "new",
    }

    /// What happens to packets about which no rule decides.
    pub enum Handling {
        /// They are dropped.
        Drop = "drop",
        /// They pass.
        Pass = "pass",
    }

    /// What happens to connections from the Internet to subscribers' blocked ports.
    pub enum Inbound {
        /// They pass.
        Allow = "allow",
        /// They are blocked.
        Block = "block",
    }

    /// What events show of destination addresses.
    pub enum EventDestination {
        /// The whole address.
        Full = "full",
        /// Its /24, or its /48 of IPv6.
        Prefix = "prefix",
        /// Nothing.
        None = "none",
    }

    /// Whether packets of exemptions are shown as events.
    pub enum EventExemptions {
        /// They are.
        Shown = "true",
        /// They are not.
        NotShown = "false",
    }

    /// Whether a pool is enforced.
    pub enum PoolMode {
        /// It is enforced.
        Enforce = "enforce",
        /// It is only monitored.
        Monitor = "monitor",
    }
}
