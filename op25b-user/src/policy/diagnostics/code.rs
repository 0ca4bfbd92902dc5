//! The kinds of diagnostics and their severity.

use std::fmt;

use serde::Serialize;

/// Whether a policy can be enforced all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $severity:ident $variant:ident = $name:literal,)*) => {
        /// What kind of thing is wrong. The names are stable: scripts may rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, errors first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in output and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// The text is not UTF-8.
    Error NotUtf8 = "not-utf8",
    /// The text is not YAML.
    Error YamlSyntax = "yaml-syntax",
    /// The YAML is legal, but too deep or too much repeated.
    Error YamlLimit = "yaml-limit",
    /// There is nothing in the file.
    Error EmptyFile = "empty-file",
    /// There is more than one YAML document in the file.
    Error MultipleDocuments = "multiple-documents",
    /// A key is given twice.
    Error DuplicateKey = "duplicate-key",
    /// There is no such key here.
    Error UnknownKey = "unknown-key",
    /// A key that must be there is not.
    Error MissingKey = "missing-key",
    /// A list where a text should be, or the like.
    Error WrongType = "wrong-type",
    /// None of the words that are allowed here.
    Error UnknownValue = "unknown-value",
    /// A key without a value.
    Error EmptyValue = "empty-value",
    /// A list without items.
    Error EmptyList = "empty-list",
    /// A text with control characters.
    Error ControlCharacter = "control-character",
    /// The file is for another version of the policy format.
    Error Version = "version",
    /// A key that means nothing next to the others.
    Error Misplaced = "misplaced",
    /// The same interface, name, port or prefix twice.
    Error Duplicate = "duplicate",
    /// No Linux interface can have this name.
    Error InterfaceName = "interface-name",
    /// No interface on which there are subscribers.
    Error NoSubscriber = "no-subscriber",
    /// Not a TCP port.
    Error BadPort = "bad-port",
    /// A port on which customers submit mail.
    Error SubmissionPort = "submission-port",
    /// `action: prohibit` without an address to answer from.
    Error NoRouter = "no-router",
    /// Not a rate of answers.
    Error BadRate = "bad-rate",
    /// Not the length of a subscriber's prefix.
    Error BadLength = "bad-length",
    /// More ports than the program compares with.
    Error TooManyPorts = "too-many-ports",
    /// Not an IP prefix.
    Error BadPrefix = "bad-prefix",
    /// An IP prefix with bits set behind its length.
    Error HostBits = "host-bits",
    /// IPv4 addresses written as IPv6.
    Error Ipv4Mapped = "ipv4-mapped",
    /// Not a date or time.
    Error BadTime = "bad-time",
    /// A time later than the kernel's clock can say.
    Error LateTime = "late-time",
    /// An exemption for addresses that are not blocked.
    Warning ExemptionInNoPool = "exemption-in-no-pool",
    /// An exemption that no longer holds.
    Warning ExemptionExpired = "exemption-expired",
    /// An exemption that another one makes useless.
    Warning ExemptionCovered = "exemption-covered",
    /// An exemption for a whole pool prefix.
    Warning ExemptionCoversPool = "exemption-covers-pool",
    /// An exemption whose sources and destinations are of different address families.
    Warning ExemptionNeverMatches = "exemption-never-matches",
    /// An exemption without an end, although the policy asks for one.
    Warning ExemptionWithoutEnd = "exemption-without-end",
    /// `inbound: block` without an interface where the Internet comes in.
    Warning InboundWithoutUplink = "inbound-without-uplink",
    /// A relay prefix that lets everyone reach a large part of the Internet.
    Warning WideRelay = "wide-relay",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
