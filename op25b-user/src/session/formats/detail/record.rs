//! One record of a detail file: a line with a time, and a line for each attribute, up to an empty one.

use std::{borrow::Cow, io};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{Options, lines::Lines, texts},
    time,
};

/// The attributes with the addresses and prefixes of a customer (RFC 2865, 3162, 4818, 6911).
const ADDRESSES: [&str; 6] = [
    "Framed-IP-Address",
    "Framed-IPv6-Address",
    "Framed-IPv6-Prefix",
    "Delegated-IPv6-Prefix",
    // A prefix, a gateway and metrics.
    "Framed-Route",
    "Framed-IPv6-Route",
];
/// The attribute with the customer, unless another one is given.
const CUSTOMER: &str = "User-Name";

/// A record as it is written.
pub(super) struct Written {
    /// The line in which it begins.
    pub(super) line: u32,
    /// That line.
    head: String,
    attributes: Vec<(String, String)>,
}

/// What a record says.
pub(super) struct Record {
    /// The line in which it begins.
    pub(super) line: u32,
    pub(super) status: Status,
    /// The device that does the accounting.
    pub(super) nas: String,
    pub(super) id: String,
    pub(super) customer: Option<String>,
    pub(super) prefixes: Vec<IpNet>,
    /// When it was made.
    pub(super) at: Timestamp,
    /// When the session began, if the record says so.
    pub(super) began: Option<Timestamp>,
}

/// What happened to a session (Acct-Status-Type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Start,
    Interim,
    Stop,
    /// All sessions of the device have ended.
    Restart,
    /// It is about a tunnel or a link.
    Other,
}

/// The next record of a file.
pub(super) fn next(lines: &mut Lines<'_>) -> io::Result<Option<Written>> {
    let mut written: Option<Written> = None;
    while let Some(line) = lines.next()? {
        let is_empty = line.trim().is_empty();
        match &mut written {
            None if is_empty => {}
            None => {
                let mut attributes = Vec::new();
                // A file that was cut at its beginning.
                attributes.extend(attribute(&line));
                written = Some(Written {
                    line: lines.number,
                    head: line,
                    attributes,
                });
            }
            Some(_) if is_empty => break,
            Some(written) => written.attributes.extend(attribute(&line)),
        }
    }
    Ok(written)
}

/// The name and the value of an attribute, from a line that begins with white space.
fn attribute(line: &str) -> Option<(String, String)> {
    if !line.starts_with(['\t', ' ']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    // `+=` and `:=` are what attributes are written with, too.
    let name = name.trim_end_matches(['+', ':']).trim();
    Some((name.to_owned(), unquoted(value.trim()).into_owned()))
}

/// A value without its quotes and escapes.
fn unquoted(value: &str) -> Cow<'_, str> {
    let quotes = ['"', '\''];
    let inner = quotes
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    match inner {
        Some(inner) if inner.contains('\\') => Cow::Owned(unescaped(inner)),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(value),
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            [escaped, after @ ..] => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                rest = after;
            }
            [] => bytes.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Written {
    /// What the record says; what is wrong with it otherwise.
    pub(super) fn read(&self, options: &Options) -> Result<Record, String> {
        let status = match self.get("Acct-Status-Type") {
            Some("Start" | "1") => Status::Start,
            Some("Stop" | "2") => Status::Stop,
            Some("Interim-Update" | "Alive" | "3") => Status::Interim,
            Some("Accounting-On" | "Accounting-Off" | "7" | "8") => Status::Restart,
            Some(_) => Status::Other,
            None => {
                return Err("the record has no Acct-Status-Type: it is not one of accounting".to_owned());
            }
        };
        let id = match (self.get("Acct-Session-Id"), status) {
            (Some(id), _) => id.to_owned(),
            (None, Status::Restart | Status::Other) => String::new(),
            (None, _) => return Err("the record has no Acct-Session-Id".to_owned()),
        };
        let at = time::of(self, options)?;
        Ok(Record {
            line: self.line,
            status,
            nas: self.nas(),
            id,
            customer: self.customer(options)?,
            prefixes: self.prefixes()?,
            at,
            began: self.began(at, status)?,
        })
    }

    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first line.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |(one, _): &&(String, String)| one.eq_ignore_ascii_case(name);
        self.attributes
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
    }

    fn nas(&self) -> String {
        let nas = ["NAS-IP-Address", "NAS-IPv6-Address", "NAS-Identifier"];
        let known = nas.iter().find_map(|name| self.get(name));
        known.unwrap_or_default().to_owned()
    }

    fn customer(&self, options: &Options) -> Result<Option<String>, String> {
        let name = options.name_of("customer").unwrap_or(CUSTOMER);
        let customer = self.get(name).filter(|customer| !customer.is_empty());
        customer
            .map(texts::customer)
            .transpose()
            .map_err(|wrong| format!("{name}: {wrong}"))
    }

    fn prefixes(&self) -> Result<Vec<IpNet>, String> {
        let mut prefixes = Vec::new();
        for name in ADDRESSES {
            for value in self.all(name) {
                let prefix = value.split_whitespace().next().unwrap_or_default();
                let prefix = texts::prefix(prefix).map_err(|wrong| format!("{name}: {wrong}"))?;
                // What servers send for "the user chooses" and "the device chooses" (RFC 2865, 5.8), and for none at all.
                let is_address = !matches!(
                    prefix.network().to_string().as_str(),
                    "255.255.255.255" | "255.255.255.254" | "0.0.0.0" | "::"
                );
                if is_address && !prefixes.contains(&prefix) {
                    prefixes.push(prefix);
                }
            }
        }
        Ok(prefixes)
    }

    /// When the session began, as far as the record says.
    fn began(&self, at: Timestamp, status: Status) -> Result<Option<Timestamp>, String> {
        let lasted = match (self.get("Acct-Session-Time"), status) {
            (_, Status::Start) => SignedDuration::ZERO,
            (None, _) => return Ok(None),
            (Some(text), _) => SignedDuration::from_secs(seconds("Acct-Session-Time", text)?),
        };
        Ok(at.checked_sub(lasted).ok())
    }
}

/// An attribute with a number of seconds.
pub(super) fn seconds(name: &str, text: &str) -> Result<i64, String> {
    text.parse::<u32>()
        .map(i64::from)
        .map_err(|_| format!("{name}: `{text}` is not a number of seconds"))
}
