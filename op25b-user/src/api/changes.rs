//! Changes of exemptions: the requests, and the responses to them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use super::{Exemption, Explained};
use crate::exemption::{ImportRow, Invalid, limits};

/// The response to an added exemption, which is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Added {
    /// The exemption.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix; null if it cannot be determined, for
    /// which a warning states the reason.
    pub verdict: Option<Explained>,
    /// Warnings about probable mistakes.
    pub warnings: Vec<String>,
}

/// A new expiry of an exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendExemption {
    /// The expiry, as of a new exemption; a time is counted from now.
    #[schema(min_length = 1, example = "2028-03-31")]
    pub expires: String,
    /// The reason, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
}

/// The response to a changed expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// The exemption as it is now.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix; null if it cannot be determined, for
    /// which a warning states the reason.
    pub verdict: Option<Explained>,
    /// Warnings about probable mistakes.
    pub warnings: Vec<String>,
}

/// The response to a removed exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// The exemption, with the time of its removal.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix; null if it cannot be determined, for
    /// which a warning states the reason.
    pub verdict: Option<Explained>,
    /// Warnings.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// How a removed exemption is restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreExemption {
    /// A new expiry, as of a new exemption; without one it expires when it did before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, example = "2028-03-31")]
    pub expires: Option<String>,
    /// The reason, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
    /// Skip the pool and prefix-width checks.
    #[serde(default)]
    pub force: bool,
}

/// The response to a restored exemption, which is in force again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Restored {
    /// The exemption as it is now.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix; null if it cannot be determined, for
    /// which a warning states the reason.
    pub verdict: Option<Explained>,
    /// Warnings about probable mistakes.
    pub warnings: Vec<String>,
}

/// Exemptions to remove, all of them or none: those of one import, or those with one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveExemptions {
    /// Those that this import added: its id, or a unique beginning of it. Either this or `prefix` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 4, max_length = 26)]
    pub batch: Option<String>,
    /// Those that have exactly this prefix, with all their prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 2, max_length = 64, example = "198.51.100.8/29")]
    pub prefix: Option<String>,
    /// The reason, for the history; required unless `dry_run` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
    /// Only report what would be removed.
    #[serde(default)]
    pub dry_run: bool,
    /// How many there must be, as a dry run has reported: otherwise nothing is removed.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub expected: Option<usize>,
}

/// Reads a number that is whole, also where it is written as `1.0`: that is an integer in JSON Schema.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let text = number.to_string();
    let whole = text.strip_suffix(".0").unwrap_or(&text).parse();
    whole
        .map(Some)
        .map_err(|_| D::Error::custom(format!("{number} is no number of exemptions")))
}

/// The response to a removal of many exemptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedExemptions {
    /// Whether this only reports what would be removed.
    pub dry_run: bool,
    /// The number of exemptions that were removed, or would be.
    pub removed: usize,
    /// The first 1000 of them.
    pub exemptions: Vec<Exemption>,
    /// The verdict of the program in the kernel on a connection from the first prefix of the first one; null if it cannot be
    /// determined, or nothing was removed.
    pub verdict: Option<Explained>,
}

/// Exemptions to add, all of them or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportExemptions {
    /// The exemptions.
    #[schema(min_items = 1)]
    pub exemptions: Vec<ImportRow>,
    /// Only report what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// The response to an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// Whether this only reports what would be done.
    pub dry_run: bool,
    /// The number of exemptions that were added, or would be.
    pub added: usize,
    /// The id of the import, with which what it added is listed and removed; null if it added nothing.
    #[serde(default)]
    pub batch: Option<String>,
    /// The number of exemptions that exist already.
    pub unchanged: usize,
    /// The number of exemptions that have expired, which are not added.
    #[serde(default)]
    pub lapsed: usize,
    /// How many of those that were added, or would be, had been removed before: they have the customer, prefixes and destinations
    /// of a removed exemption.
    #[serde(default)]
    pub removed_before: usize,
    /// The ids of the removed exemptions; the first 100.
    #[serde(default)]
    pub removed_before_ids: Vec<String>,
    /// Warnings about probable mistakes; the first of them.
    pub warnings: Vec<String>,
    /// Whether the exemptions needed a new generation of the filter, which was loaded: no packet was judged by half of it.
    #[serde(default)]
    pub new_generation: bool,
}

impl ExtendExemption {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::text("expires", &self.expires, limits::EXPIRY)?;
        match &self.reason {
            Some(reason) => limits::text("reason", reason, limits::PROSE),
            None => Ok(()),
        }
    }
}

impl RestoreExemption {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        if let Some(expires) = &self.expires {
            limits::text("expires", expires, limits::EXPIRY)?;
        }
        match &self.reason {
            Some(reason) => limits::text("reason", reason, limits::PROSE),
            None => Ok(()),
        }
    }
}

impl RemoveExemptions {
    /// Checks that it says what to remove and why, and that no text exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        match (&self.batch, &self.prefix) {
            (Some(batch), None) => limits::text("batch", batch, limits::PREFIX)?,
            (None, Some(prefix)) => limits::text("prefix", prefix, limits::PREFIX)?,
            (None, None) | (Some(_), Some(_)) => {
                return Err(Invalid::new("give either `batch` or `prefix`"));
            }
        }
        match &self.reason {
            Some(reason) => limits::text("reason", reason, limits::PROSE),
            None if self.dry_run => Ok(()),
            None => Err(Invalid::new("`reason` is missing")),
        }
    }
}

impl ImportExemptions {
    /// Checks that the number of rows is within its limit; the rows themselves are not checked.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::rows("exemptions", self.exemptions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        let expected = |number: &str| {
            let text = format!(r#"{{"batch": "01KA", "expected": {number}}}"#);
            serde_json::from_str::<RemoveExemptions>(&text).map(|remove| remove.expected)
        };
        for (number, read) in [("7", Some(7)), ("7.0", Some(7)), ("null", None)] {
            assert_eq!(expected(number).unwrap(), read, "{number}");
        }
        for number in ["7.5", "-7", "1e300", "\"7\""] {
            assert!(expected(number).is_err(), "{number}");
        }
    }
}
