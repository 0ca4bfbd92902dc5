//! A host to connect to, as it is written in a URL.

use std::fmt;

use hyper::http::uri::Authority;

/// A host to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name or an address, without brackets.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Host {
    /// The host of an authority, if it is nothing but a host and a port.
    pub(crate) fn of(authority: &Authority, port: u16) -> Option<Self> {
        let host = authority.host();
        if host.is_empty() || authority.as_str().contains('@') {
            return None;
        }
        let port = match authority.port() {
            // An authority that ends in a colon has the default port, as in RFC 3986.
            None if authority.as_str().len() <= host.len() + 1 => port,
            None => return None,
            Some(port) => port.as_u16(),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        Some(Self {
            name: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(f, "[{name}]:{port}")
        } else {
            write!(f, "{name}:{port}")
        }
    }
}
