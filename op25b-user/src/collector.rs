//! Where events are forwarded to, as it is written on the command line: `syslog+tls://log.example.net`, `journal`.

use std::fmt;

use hyper::Uri;

use crate::remote_host::Host;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Syslog messages (RFC 5424).
    Syslog,
    /// IPFIX records (RFC 7011).
    Ipfix,
}

/// What carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A TCP connection.
    Tcp,
    /// TLS in a TCP connection.
    Tls,
    /// UDP datagrams, of which some may be lost unseen.
    Udp,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The journal of this machine.
    Journal,
    /// A collector.
    Collector(Address),
}

/// How to reach a collector, and what it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) format: Format,
    pub(crate) transport: Transport,
    pub(crate) host: Host,
}

/// The word for the journal.
const JOURNAL: &str = "journal";
/// The words before `://`, with the registered port of each (RFC 5425, RFC 6587, RFC 7011).
const SCHEMES: [(&str, Format, Transport, u16); 4] = [
    ("syslog+tls", Format::Syslog, Transport::Tls, 6514),
    ("syslog+tcp", Format::Syslog, Transport::Tcp, 601),
    ("ipfix+tcp", Format::Ipfix, Transport::Tcp, 4739),
    ("ipfix+udp", Format::Ipfix, Transport::Udp, 4739),
];

impl Destination {
    /// Parses one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wanted = || {
            let schemes = SCHEMES.map(|(scheme, ..)| format!("{scheme}://HOST[:PORT]"));
            format!("write one of {}, or {JOURNAL}", schemes.join(", "))
        };
        if text == JOURNAL {
            return Ok(Self::Journal);
        }
        let uri: Uri = text.parse().map_err(|_| wanted())?;
        let known = SCHEMES
            .into_iter()
            .find(|(scheme, ..)| uri.scheme_str() == Some(scheme));
        let (Some((_, format, transport, port)), Some(authority)) = (known, uri.authority()) else {
            return Err(wanted());
        };
        let is_plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host = Host::of(authority, port).filter(|_| is_plain);
        Ok(Self::Collector(Address {
            format,
            transport,
            host: host.ok_or_else(wanted)?,
        }))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Collector(address) = self else {
            return f.write_str(JOURNAL);
        };
        let is_this = |format, transport| (format, transport) == (address.format, address.transport);
        for (scheme, format, transport, _) in SCHEMES {
            if is_this(format, transport) {
                write!(f, "{scheme}://")?;
            }
        }
        write!(f, "{}", address.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_the_journal_or_has_a_format_a_transport_a_host_and_a_port() {
        for (text, shown) in [
            (
                "syslog+tls://log.example.net",
                "syslog+tls://log.example.net:6514",
            ),
            ("journal", "journal"),
            ("syslog+tcp://192.0.2.9:10514", "syslog+tcp://192.0.2.9:10514"),
            ("ipfix+tcp://[2001:db8::9]", "ipfix+tcp://[2001:db8::9]:4739"),
            (
                "ipfix+udp://[2001:db8::9]:2055/",
                "ipfix+udp://[2001:db8::9]:2055",
            ),
        ] {
            assert_eq!(Destination::parse(text).unwrap().to_string(), shown);
        }
        let Ok(Destination::Collector(address)) = Destination::parse("ipfix+tcp://[::1]") else {
            panic!("it is a collector")
        };
        assert_eq!(address.host.name, "::1");
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_write() {
        for text in [
            "",
            "log.example.net",
            "Journal",
            "journal://",
            "syslog://log.example.net",
            "syslog+udp://log.example.net",
            "ipfix+tls://log.example.net",
            "syslog+tls://",
            "syslog+tls://log.example.net:99999",
            "syslog+tls://log.example.net/path",
            "syslog+tls://log.example.net?facility=1",
            "syslog+tls://user@log.example.net",
        ] {
            let refusal = Destination::parse(text).unwrap_err();
            assert!(refusal.contains("syslog+tls://HOST[:PORT]"), "{text}: {refusal}");
        }
    }
}
