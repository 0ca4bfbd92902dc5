//! The terms of a new exemption as text, before validation: the body of a request, a row of a file.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

/// A prefix without host bits, such as `198.51.100.8/29`, or an address.
#[derive(ToSchema)]
#[schema(
    as = Prefix,
    min_length = 2,
    pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
    example = "198.51.100.8/29"
)]
#[expect(dead_code, reason = "it only describes")]
struct PrefixText(String);

/// An exemption to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExemption {
    /// The customer's name.
    #[schema(min_length = 1, example = "Example KK")]
    pub customer: String,
    /// The customer's source prefixes, such as `198.51.100.8/29`; an address is a prefix of full length.
    #[schema(value_type = Vec<PrefixText>, min_items = 1)]
    pub prefixes: Vec<String>,
    /// The permitted destinations; all destinations if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<PrefixText>)]
    pub destinations: Vec<String>,
    /// The ticket in which the exemption was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, example = "OPS-1042")]
    pub ticket: Option<String>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub note: Option<String>,
    /// The expiry: a time from now such as `90d`, the last day such as `2028-03-31`, an instant such as
    /// `2028-04-01T00:00:00+09:00`, or `never` (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, example = "90d")]
    pub expires: Option<String>,
    /// Skip the pool and prefix-width checks.
    #[serde(default)]
    pub force: bool,
}

/// A row of an import: an exemption and its position in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The line that errors name.
    #[serde(deserialize_with = "whole_number")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u64)]
    pub line: u32,
    /// The exemption. Its expiry must be absolute: `90d` would mean another instant at each import.
    pub exemption: NewExemption,
}

/// Reads a whole number. JSON has only numbers, so `14.0` is one as well.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the condition excludes both"
        )]
        return Ok(number as u32);
    }
    Err(D::Error::custom(format_args!("{number} is not a line number")))
}
