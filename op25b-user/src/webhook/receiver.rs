//! Where alerts are sent to, as it is written on the command line: `https://abuse.example.net/op25b`, and through which proxy.

use std::fmt;

use hyper::Uri;

use crate::remote_host::Host;

/// The URL that alerts are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receiver {
    uri: Uri,
    pub(crate) host: Host,
}

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy(pub(crate) Host);

impl Receiver {
    /// Parses one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "write https://HOST[:PORT]/PATH, without a user and a password";
        let uri: Uri = text.parse().map_err(|_| WANTED)?;
        let host = uri
            .authority()
            .filter(|_| uri.scheme_str() == Some("https"))
            .and_then(|authority| Host::of(authority, 443))
            .ok_or(WANTED)?;
        Ok(Self { uri, host })
    }

    /// The path and the query, for the first line of a request.
    pub(crate) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }
}

impl Proxy {
    /// Parses one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "write http://HOST[:PORT], without a user and a password";
        let uri: Uri = text.parse().map_err(|_| WANTED)?;
        let is_plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host = uri
            .authority()
            .filter(|_| uri.scheme_str() == Some("http") && is_plain)
            .and_then(|authority| Host::of(authority, 3128));
        host.map(Self).ok_or_else(|| WANTED.to_owned())
    }
}

/// Without the path and the query: a line in the journal does not need them.
impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_a_host_a_port_and_a_target() {
        for (text, shown, target) in [
            (
                "https://abuse.example.net/op25b?a=1",
                "https://abuse.example.net:443",
                "/op25b?a=1",
            ),
            ("https://192.0.2.9:8443", "https://192.0.2.9:8443", "/"),
            ("https://[2001:db8::9]/x", "https://[2001:db8::9]:443", "/x"),
        ] {
            let receiver = Receiver::parse(text).unwrap();
            assert_eq!(
                (receiver.to_string().as_str(), receiver.target()),
                (shown, target)
            );
        }
        assert_eq!(Receiver::parse("https://[::1]/").unwrap().host.name, "::1");
        let proxy = Proxy::parse("http://proxy.example.net").unwrap();
        assert_eq!(proxy.0.to_string(), "proxy.example.net:3128");
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_write() {
        for text in [
            "",
            "abuse.example.net",
            "http://abuse.example.net/",
            "https://",
            "https://user@abuse.example.net/",
            "https://abuse.example.net:99999/",
        ] {
            let refusal = Receiver::parse(text).unwrap_err();
            assert!(refusal.contains("https://HOST[:PORT]/PATH"), "{text}: {refusal}");
        }
        for text in [
            "proxy:3128",
            "https://proxy",
            "http://user:pass@proxy",
            "http://proxy/path",
        ] {
            let refusal = Proxy::parse(text).unwrap_err();
            assert!(refusal.contains("http://HOST[:PORT]"), "{text}: {refusal}");
        }
    }
}
