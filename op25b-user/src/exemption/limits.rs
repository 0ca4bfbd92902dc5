//! The limits of an exemption's terms. The API's description is generated from them.

use super::{Invalid, NewExemption};
use crate::policy::characters;

/// The most characters of a customer or a ticket.
pub const NAME: usize = 200;
/// The most characters of a note or a reason.
pub const PROSE: usize = 2000;
/// The most characters of an expiry, before it is parsed.
pub const EXPIRY: usize = 200;
/// The most characters of a prefix, before it is parsed.
pub const PREFIX: usize = 64;
/// The most prefixes of an exemption, and the most destinations.
pub const PREFIXES: usize = 256;
/// The most exemptions of an import.
pub const ROWS: usize = 1_000_000;

impl NewExemption {
    /// Checks that no text and no list is empty or exceeds its limit. This needs nothing but the exemption, so that a
    /// request can be refused before it reaches the daemon; validation begins with it.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        text("customer", &self.customer, NAME)?;
        some_prefixes("prefixes", &self.prefixes)?;
        prefixes("destinations", &self.destinations)?;
        for (name, value, limit) in [
            ("ticket", &self.ticket, NAME),
            ("note", &self.note, PROSE),
            ("expires", &self.expires, EXPIRY),
        ] {
            if let Some(value) = value {
                text(name, value, limit)?;
            }
        }
        Ok(())
    }
}

/// Checks the length of a text.
///
/// # Errors
///
/// If it is empty or exceeds the limit.
pub fn text(name: &str, text: &str, limit: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(format!("`{name}` is empty")));
    }
    let length = text.chars().count();
    if length > limit {
        return Err(Invalid::new(format!(
            "`{name}` has {length} characters, more than the limit of {limit} characters"
        )));
    }
    Ok(())
}

/// Checks the number of an import's rows, whatever is in them.
///
/// # Errors
///
/// If there are none, or too many.
pub fn rows(name: &str, rows: usize) -> Result<(), Invalid> {
    if rows == 0 {
        return Err(Invalid::new(format!("`{name}` is empty")));
    }
    count(name, rows, ROWS)
}

/// Checks prefixes of which there must be one at least.
pub(super) fn some_prefixes(name: &str, found: &[String]) -> Result<(), Invalid> {
    prefixes(name, found)?;
    if found.is_empty() {
        return Err(Invalid::new(format!(
            "`{name}` is empty: an exemption needs at least one prefix"
        )));
    }
    Ok(())
}

/// Checks the number of prefixes and the length of each.
pub(super) fn prefixes(name: &str, prefixes: &[String]) -> Result<(), Invalid> {
    count(name, prefixes.len(), PREFIXES)?;
    let wrong = prefixes
        .iter()
        .find(|prefix| !(2..=PREFIX).contains(&prefix.len()));
    let Some(wrong) = wrong else {
        return Ok(());
    };
    let shown: String = wrong.chars().take(PREFIX).collect();
    let (shown, more) = (
        characters::printable(&shown),
        if wrong.len() > PREFIX { "…" } else { "" },
    );
    Err(Invalid::new(format!(
        "`{name}` has the item `{shown}{more}`, which is too {} for a prefix",
        if more.is_empty() { "short" } else { "long" }
    )))
}

fn count(name: &str, found: usize, limit: usize) -> Result<(), Invalid> {
    if found <= limit {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "`{name}` has {found} items, more than the limit of {limit}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> NewExemption {
        NewExemption {
            customer: "Example KK".to_owned(),
            prefixes: vec!["198.51.100.8/29".to_owned()],
            ..NewExemption::default()
        }
    }

    #[test]
    fn what_is_empty_or_endless_is_named() {
        assert_eq!(plain().check_limits(), Ok(()));
        for (name, change) in [
            ("customer", (|it| it.customer.clear()) as fn(&mut NewExemption)),
            ("customer", |it| it.customer = "é".repeat(NAME + 1)),
            ("prefixes", |it| it.prefixes.clear()),
            ("prefixes", |it| {
                it.prefixes = vec!["192.0.2.1".to_owned(); PREFIXES + 1];
            }),
            ("prefixes", |it| it.prefixes.push("1".repeat(PREFIX + 1))),
            ("destinations", |it| it.destinations.push(String::new())),
            ("destinations", |it| {
                it.destinations = vec!["192.0.2.1".to_owned(); PREFIXES + 1];
            }),
            ("ticket", |it| it.ticket = Some("t".repeat(NAME + 1))),
            ("note", |it| it.note = Some("n".repeat(PROSE + 1))),
            ("expires", |it| it.expires = Some(String::new())),
            ("expires", |it| it.expires = Some("9".repeat(EXPIRY + 1))),
        ] {
            let mut exemption = plain();
            change(&mut exemption);
            let why = exemption.check_limits().unwrap_err().to_string();
            assert!(why.starts_with(&format!("`{name}` ")), "{why}");
        }
        let longest = NewExemption {
            customer: "é".repeat(NAME),
            ticket: Some("é".repeat(NAME)),
            note: Some("é".repeat(PROSE)),
            ..plain()
        };
        assert_eq!(longest.check_limits(), Ok(()));
    }

    #[test]
    fn an_import_has_rows_and_not_too_many() {
        assert_eq!(rows("exemptions", ROWS), Ok(()));
        for count in [0, ROWS + 1] {
            assert!(rows("exemptions", count).is_err(), "{count}");
        }
    }
}
