//! How much may a request say? What it means is not looked at here.
//!
//! The schemas beside the bodies say the same numbers, which have to be literals there; a test compares them.

use super::{ExtendExemption, ImportExemptions, NewExemption};

/// The most characters of a customer, a ticket, a note, a reason or the text of an end.
pub const TEXT: usize = 1000;
/// The most characters of a prefix.
pub const PREFIX: usize = 64;
/// The most prefixes of an exemption, and as many destinations.
pub const PREFIXES: usize = 1000;
/// The most exemptions of an import.
pub const ROWS: usize = 1_000_000;

impl NewExemption {
    /// Whether everything has a bearable length; what has not, and what it may have.
    pub fn check_bounds(&self) -> Result<(), String> {
        text("customer", &self.customer, 1)?;
        prefixes("prefixes", &self.prefixes, 1)?;
        prefixes("destinations", &self.destinations, 0)?;
        for (name, value) in [
            ("ticket", &self.ticket),
            ("note", &self.note),
            ("expires", &self.expires),
        ] {
            if let Some(value) = value {
                text(name, value, 1)?;
            }
        }
        Ok(())
    }
}

impl ExtendExemption {
    /// Whether everything has a bearable length; what has not, and what it may have.
    pub fn check_bounds(&self) -> Result<(), String> {
        text("expires", &self.expires, 1)?;
        match &self.reason {
            Some(reason) => text("reason", reason, 1),
            None => Ok(()),
        }
    }
}

impl ImportExemptions {
    /// Whether it has a bearable length; its rows are not looked at.
    pub fn check_bounds(&self) -> Result<(), String> {
        count("exemptions", self.exemptions.len(), 1, ROWS)
    }
}

/// Whether a text has a bearable number of characters.
pub(crate) fn text(name: &str, text: &str, least: usize) -> Result<(), String> {
    let length = text.chars().count();
    if (least..=TEXT).contains(&length) {
        return Ok(());
    }
    Err(format!(
        "`{name}` has {length} characters: {least} to {TEXT} are possible"
    ))
}

fn prefixes(name: &str, prefixes: &[String], least: usize) -> Result<(), String> {
    count(name, prefixes.len(), least, PREFIXES)?;
    match prefixes
        .iter()
        .find(|prefix| !(2..=PREFIX).contains(&prefix.len()))
    {
        None => Ok(()),
        Some(_) => Err(format!(
            "`{name}` has an item that is too short or too long for a prefix"
        )),
    }
}

fn count(name: &str, found: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(format!(
        "`{name}` has {found} items: {least} to {most} are possible"
    ))
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
        assert_eq!(plain().check_bounds(), Ok(()));
        for (name, change) in [
            ("customer", (|it| it.customer.clear()) as fn(&mut NewExemption)),
            ("customer", |it| it.customer = "é".repeat(TEXT + 1)),
            ("prefixes", |it| it.prefixes.clear()),
            ("prefixes", |it| {
                it.prefixes = vec!["192.0.2.1".to_owned(); PREFIXES + 1];
            }),
            ("prefixes", |it| it.prefixes.push("1".repeat(PREFIX + 1))),
            ("destinations", |it| it.destinations.push(String::new())),
            ("note", |it| it.note = Some("n".repeat(TEXT + 1))),
            ("expires", |it| it.expires = Some(String::new())),
        ] {
            let mut exemption = plain();
            change(&mut exemption);
            let why = exemption.check_bounds().unwrap_err();
            assert!(why.starts_with(&format!("`{name}` ")), "{why}");
        }
        let longest = NewExemption {
            customer: "é".repeat(TEXT),
            ..plain()
        };
        assert_eq!(longest.check_bounds(), Ok(()));
    }
}
