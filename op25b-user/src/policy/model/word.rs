//! Values that the policy file writes as one of a few words.

use std::fmt;

pub use op25b_common::{Action, Tunnel};

/// A value that the file writes as one of a few words.
pub trait Word: Copy + 'static {
    /// Every value, in the order in which the documents name them.
    const ALL: &'static [Self];

    /// The word in the file.
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
    /// What comes in on an interface.
    pub enum Role {
        /// Subscribers' packets.
        Subscriber = "subscriber",
        /// The Internet's packets.
        Uplink = "uplink",
    }

    /// Whether an interface may be missing when the filter starts.
    pub enum Wait {
        /// It may: it is waited for.
        Yes = "true",
        /// The policy is refused then.
        No = "false",
    }

    /// How the XDP program is attached.
    pub enum XdpMode {
        /// Native if the driver can, else generic with a warning.
        Auto = "auto",
        /// Only in the driver.
        Native = "native",
        /// Only behind the driver, in the kernel's network stack.
        Generic = "generic",
    }

    /// Which segments are blocked.
    pub enum Match {
        /// Every one.
        All = "all",
        /// Only those that open a connection.
        New = "new",
    }

    /// What happens to packets that are neither clearly allowed nor clearly blocked.
    pub enum Handling {
        /// They are discarded.
        Drop = "drop",
        /// They go on.
        Pass = "pass",
    }

    /// What happens to connections from the Internet to subscribers' blocked ports.
    pub enum Inbound {
        /// They are not touched.
        Allow = "allow",
        /// They are blocked.
        Block = "block",
    }

    /// Whether a pool is enforced.
    pub enum PoolMode {
        /// It is.
        Enforce = "enforce",
        /// It is only watched.
        Monitor = "monitor",
    }
}
