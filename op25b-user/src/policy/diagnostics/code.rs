//! The kinds of diagnostics and their severity.

use std::fmt;

use serde::Serialize;

/// Whether a policy can be enforced in spite of the diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not do what was intended.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $severity:ident $variant:ident = $name:literal,)*) => {
        /// The kind of a diagnostic. The names are stable: scripts may rely on them.
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

            /// The severity.
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
    /// The YAML is valid, but nested too deeply or has too many aliases.
    Error YamlLimit = "yaml-limit",
    /// The file is empty.
    Error EmptyFile = "empty-file",
    /// The file has more than one YAML document.
    Error MultipleDocuments = "multiple-documents",
    /// A key is given twice.
    Error DuplicateKey = "duplicate-key",
    /// A key that is not part of the format.
    Error UnknownKey = "unknown-key",
    /// A required key that is missing.
    Error MissingKey = "missing-key",
    /// A value of the wrong type, such as a list instead of a string.
    Error WrongType = "wrong-type",
    /// A word that is not a value of the key.
    Error UnknownValue = "unknown-value",
    /// A key without a value.
    Error EmptyValue = "empty-value",
    /// A list without items.
    Error EmptyList = "empty-list",
    /// A string with control characters.
    Error ControlCharacter = "control-character",
    /// The file is for another version of the policy format.
    Error Version = "version",
    /// A key that does not apply next to the others.
    Error Misplaced = "misplaced",
    /// The same interface, name, port or prefix twice.
    Error Duplicate = "duplicate",
    /// Not a valid name of a Linux interface.
    Error InterfaceName = "interface-name",
    /// No interface has `role: subscriber`.
    Error NoSubscriber = "no-subscriber",
    /// Not a TCP port.
    Error BadPort = "bad-port",
    /// A port of message submission.
    Error SubmissionPort = "submission-port",
    /// `action: prohibit` without a source address for its ICMP errors.
    Error NoRouter = "no-router",
    /// Not a rate of replies.
    Error BadRate = "bad-rate",
    /// Not a length of subscribers' prefixes.
    Error BadLength = "bad-length",
    /// Not a size that the history may have.
    Error BadSize = "bad-size",
    /// Not an address and port at which metrics can be served.
    Error BadListener = "bad-listener",
    /// Metrics at an address that other machines reach, without a limit to whom they are served.
    Error MetricsForAll = "metrics-for-all",
    /// Not a threshold of alerts.
    Error BadThreshold = "bad-threshold",
    /// A name that no pool has.
    Error UnknownPool = "unknown-pool",
    /// More ports than the program can block.
    Error TooManyPorts = "too-many-ports",
    /// Not the `EtherType` of a VLAN tag that a policy can add.
    Error BadTpid = "bad-tpid",
    /// More VLAN tags than the program can compare with.
    Error TooManyTpids = "too-many-tpids",
    /// Not an IP prefix.
    Error BadPrefix = "bad-prefix",
    /// An IP prefix with host bits set.
    Error HostBits = "host-bits",
    /// An IPv4-mapped IPv6 prefix.
    Error Ipv4Mapped = "ipv4-mapped",
    /// Not a NAT64 prefix.
    Error BadNat64 = "bad-nat64",
    /// Not a date or time.
    Error BadTime = "bad-time",
    /// A time later than the program can represent.
    Error LateTime = "late-time",
    /// Phases that do not begin one after another, or of which one that is not the last is for every destination.
    Error BadPhases = "bad-phases",
    /// A list that cannot be read.
    Error ListUnreadable = "list-unreadable",
    /// A list that is too large, or too many lists.
    Error ListSize = "list-size",
    /// A row of a list of exemptions that is not in its form.
    Error ListRow = "list-row",
    /// A string with characters that are not seen, or that change the direction of text.
    Warning MisleadingCharacter = "misleading-character",
    /// An exemption for addresses in no pool.
    Warning ExemptionInNoPool = "exemption-in-no-pool",
    /// An exemption that has expired.
    Warning ExemptionExpired = "exemption-expired",
    /// An exemption that another one makes redundant.
    Warning ExemptionCovered = "exemption-covered",
    /// An exemption for a whole pool prefix.
    Warning ExemptionCoversPool = "exemption-covers-pool",
    /// An exemption whose sources and destinations are of different address families.
    Warning ExemptionNeverMatches = "exemption-never-matches",
    /// An exemption without an end, although `exemption_max_age` is set.
    Warning ExemptionWithoutEnd = "exemption-without-end",
    /// A list of exemptions without any.
    Warning ListWithoutExemptions = "list-without-exemptions",
    /// A pool with an `enforce_from` that is past.
    Warning EnforceFromPast = "enforce-from-past",
    /// `unlisted: drop` with `uninspectable: pass`.
    Warning NotDefaultDeny = "not-default-deny",
    /// A pool that is only monitored, and whose subscribers are not remembered.
    Warning MonitoredUnseen = "monitored-unseen",
    /// `inbound: block` without an interface that has `role: uplink`.
    Warning InboundWithoutUplink = "inbound-without-uplink",
    /// A relay prefix that opens the blocked ports to a large part of the Internet.
    Warning WideRelay = "wide-relay",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
