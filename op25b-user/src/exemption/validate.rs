//! Validates the terms of a new exemption: everything that can be checked without the other exemptions.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use smol_str::SmolStr;

use super::{Invalid, NewExemption, Terms, checks::widest, limits};
use crate::{
    policy::{self, ExemptionLimits, Handling, Rules, characters},
    time::{DayEnd, Reader, TimeError, minutes_or_months, show},
};

/// The word for no end.
const NEVER: &str = "never";
/// An exemption that ends sooner is warned of: few are meant to.
const SOON: SignedDuration = SignedDuration::from_hours(1);

/// Valid terms, and warnings about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The terms.
    pub terms: Terms,
    /// What in them is probably a mistake.
    pub warnings: Vec<String>,
}

/// What terms are validated against.
pub struct Validator<'a> {
    /// The policy's limits for exemptions that are added at run time.
    pub limits: ExemptionLimits,
    /// What happens to sources in no pool.
    pub unlisted: Handling,
    /// The policy's pools.
    pub rules: &'a Rules,
    /// The instant from which times are counted.
    pub now: Timestamp,
    /// The time zone of dates.
    pub time_zone: &'a TimeZone,
}

impl Validator<'_> {
    /// Validates the terms of a new exemption.
    ///
    /// # Errors
    ///
    /// All parts that are invalid.
    pub fn validate(&self, new: &NewExemption) -> Result<Valid, Invalid> {
        let expires_at = new.expires.as_deref().map_or(Ok(None), |text| self.expiry(text));
        let terms = terms(new, expires_at).map_err(Invalid::all)?;
        self.check(new.force, &terms).map_err(Invalid::all)?;
        let mut warnings = self.warnings(&terms);
        warnings.extend(new.expires.as_deref().and_then(minutes_or_months));
        Ok(Valid { terms, warnings })
    }

    /// Checks what `force` skips.
    ///
    /// # Errors
    ///
    /// All prefixes that are refused.
    pub fn check(&self, force: bool, terms: &Terms) -> Result<(), Vec<Invalid>> {
        if force {
            return Ok(());
        }
        let checked = terms.prefixes.iter();
        let checked = checked.map(|prefix| self.check_width(*prefix).and_then(|()| self.check_pool(*prefix)));
        let refused: Vec<_> = checked.filter_map(Result::err).collect();
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// The warnings about terms.
    #[must_use]
    pub fn warnings(&self, terms: &Terms) -> Vec<String> {
        let mut warnings = self.expiry_warnings(terms.expires_at);
        let are_translated = self.rules.are_translated();
        warnings.extend(family_warnings(
            &terms.prefixes,
            &terms.destinations,
            are_translated,
        ));
        warnings
    }

    /// Parses an expiry.
    ///
    /// # Errors
    ///
    /// If it is not a time, or has passed.
    pub fn expiry(&self, text: &str) -> Result<Option<Timestamp>, Invalid> {
        if text == NEVER {
            return Ok(None);
        }
        self.reader()
            .end(text)
            .map(Some)
            .map_err(|error| invalid_expiry(&error))
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(self.now, self.time_zone)
    }

    /// The warnings about an expiry: if it is within an hour, or later than the policy's `exemption_max_age`.
    #[must_use]
    pub fn expiry_warnings(&self, expires_at: Option<Timestamp>) -> Vec<String> {
        let left = expires_at.map(|end| (end, end.duration_since(self.now)));
        if let Some((end, left)) = left.filter(|(_, left)| *left < SOON) {
            return vec![format!(
                "this exemption ends in {}, at {}",
                show::length(left),
                show::instant(end, self.time_zone)
            )];
        }
        let Some(most) = self.limits.max_age else {
            return Vec::new();
        };
        let hours = most.as_hours();
        let most_text = match (hours % 24, hours / 24) {
            (0, 1) => "1 day".to_owned(),
            (0, days) if days > 1 => format!("{days} days"),
            _ => format!("{most:#}"),
        };
        let limit = format!("the policy recommends at most {most_text} (exemption_max_age)");
        match left {
            None => vec![format!("this exemption never expires; {limit}")],
            Some((end, left)) if left > most => {
                let end = show::end(Some(end), self.time_zone);
                vec![format!("this exemption ends {end}; {limit}")]
            }
            Some(_) => Vec::new(),
        }
    }

    fn check_width(&self, net: IpNet) -> Result<(), Invalid> {
        let widest = widest(self.limits, net);
        if net.prefix_len() >= widest {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "{net} is wider than /{widest} (exemption_widest in the policy); if all of it is this customer's, add it with \
             force (`--force`)"
        )))
    }

    fn check_pool(&self, net: IpNet) -> Result<(), Invalid> {
        // With `unlisted: drop` it is blocked without a pool.
        if self.unlisted == Handling::Drop || self.rules.is_pooled(net) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "{net} is in no pool: it is not blocked, so an exemption has no effect. If a pool will be added, add it with \
             force (`--force`)"
        )))
    }
}

/// Reads the terms of an exemption from a file, whose expiry must be absolute and may have passed. What depends on a policy is not
/// checked.
///
/// # Errors
///
/// All parts that are invalid.
pub fn file_terms(new: &NewExemption, reader: &Reader<'_>) -> Result<Terms, Vec<Invalid>> {
    let expires_at = match new.expires.as_deref() {
        None | Some(NEVER) => Ok(None),
        Some(text) => limits::text("expires", text, limits::EXPIRY).and_then(|()| {
            let end = reader.written(text, DayEnd::Last);
            end.map(Some).map_err(|error| invalid_expiry(&error))
        }),
    };
    terms(new, expires_at)
}

fn invalid_expiry(error: &TimeError) -> Invalid {
    Invalid::new(format!("`expires`: {error}"))
}

/// The terms of a new exemption, or all that is wrong in them.
fn terms(new: &NewExemption, expires_at: Result<Option<Timestamp>, Invalid>) -> Result<Terms, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let customer = limits::text("customer", &new.customer, limits::NAME);
    let customer = kept(
        customer.and_then(|()| line("customer", &new.customer)),
        &mut wrong,
    );
    let prefixes = limits::some_prefixes("prefixes", &new.prefixes);
    let prefixes = nets("prefixes", &new.prefixes, prefixes, &mut wrong);
    let destinations = limits::prefixes("destinations", &new.destinations);
    let destinations = nets("destinations", &new.destinations, destinations, &mut wrong);
    let ticket = optional("ticket", new.ticket.as_deref(), limits::NAME, line);
    let ticket = kept(ticket, &mut wrong);
    let note = optional("note", new.note.as_deref(), limits::PROSE, prose);
    let note = kept(note, &mut wrong);
    let expires_at = kept(expires_at, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Terms {
        customer: customer.unwrap_or_default(),
        prefixes: prefixes.into(),
        destinations: destinations.into(),
        ticket: ticket.flatten(),
        note: note.flatten().map(|note| note.as_str().into()),
        expires_at: expires_at.flatten(),
    })
}

/// What was read; an error is added to those that were found before.
fn kept<T>(read: Result<T, Invalid>, wrong: &mut Vec<Invalid>) -> Option<T> {
    read.map_err(|invalid| wrong.push(invalid)).ok()
}

/// Validates the reason of a change.
///
/// # Errors
///
/// If it is empty, too long or contains control characters.
pub fn reason(text: &str) -> Result<String, Invalid> {
    limits::text("reason", text, limits::PROSE)?;
    prose("reason", text).map(Into::into)
}

/// Reads an optional text. One of spaces only, such as a table's empty cell, counts as absent.
fn optional(
    name: &str,
    text: Option<&str>,
    limit: usize,
    read: fn(&str, &str) -> Result<SmolStr, Invalid>,
) -> Result<Option<SmolStr>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    limits::text(name, text, limit)?;
    let present = Some(text).filter(|text| !text.trim().is_empty());
    present.map(|text| read(name, text)).transpose()
}

/// Reads a text of one line.
fn line(name: &str, text: &str) -> Result<SmolStr, Invalid> {
    readable(name, text, &[])
}

/// Reads a text of several lines.
fn prose(name: &str, text: &str) -> Result<SmolStr, Invalid> {
    readable(name, &characters::with_line_feeds(text), &['\n', '\t'])
}

/// Reads a text without characters that terminals and logs obey, or that mislead who reads it.
fn readable(name: &str, text: &str, allowed: &[char]) -> Result<SmolStr, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::new(format!("`{name}` is empty")));
    }
    match characters::first_refused(text, allowed) {
        Some(refused) => Err(Invalid::new(format!("`{name}` contains {refused}; remove it"))),
        None => Ok(text.into()),
    }
}

/// Reads prefixes that are within the limits; those that are wrong are added to what was found before.
fn nets(
    name: &str,
    texts: &[String],
    are_within_limits: Result<(), Invalid>,
    wrong: &mut Vec<Invalid>,
) -> Vec<IpNet> {
    let mut nets = Vec::with_capacity(texts.len());
    if kept(are_within_limits, wrong).is_none() {
        return nets;
    }
    for text in texts {
        match policy::parse_prefix(text.trim()) {
            Err(why) => wrong.push(Invalid::new(format!("`{name}`: {why}"))),
            Ok(net) if nets.contains(&net) => {
                wrong.push(Invalid::new(format!("`{name}`: {net} is given twice")));
            }
            Ok(net) => nets.push(net),
        }
    }
    nets
}

/// The warnings about prefixes that no destination is of the address family of; IPv6 ones reach IPv4 destinations that are
/// translated.
fn family_warnings(prefixes: &[IpNet], destinations: &[IpNet], are_translated: bool) -> Vec<String> {
    let is_v4 = |net: &IpNet| net.addr().is_ipv4();
    let has_destination = |prefix: &IpNet| {
        destinations
            .iter()
            .any(|destination| is_v4(destination) == is_v4(prefix) || are_translated && is_v4(destination))
    };
    if destinations.is_empty() {
        return Vec::new();
    }
    let without = prefixes.iter().filter(|prefix| !has_destination(prefix));
    without
        .map(|prefix| format!("{prefix} is never exempt: no destination is of its address family"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]
exemption_max_age: 30d
exemption_widest: { ipv4: 26 }
";

    fn new(prefixes: &[&str]) -> NewExemption {
        NewExemption {
            customer: "Example KK".into(),
            prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            expires: Some("20d".into()),
            ..NewExemption::default()
        }
    }

    fn validated(new: &NewExemption) -> Result<Valid, String> {
        validated_by(POLICY, new)
    }

    fn validated_by(policy: &str, new: &NewExemption) -> Result<Valid, String> {
        let policy = parse("policy.yaml", policy).unwrap().policy;
        let validator = Validator {
            limits: policy.exemption_limits,
            unlisted: policy.block.unlisted,
            rules: &Rules::new(&policy).unwrap(),
            now: "2027-01-31T10:00:00Z".parse().unwrap(),
            time_zone: &TimeZone::UTC,
        };
        validator.validate(new).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn what_makes_sense_is_taken_as_it_is() {
        let valid = validated(&NewExemption {
            destinations: vec!["192.0.2.0/24".into()],
            ticket: Some(" OPS-1 ".into()),
            note: Some(" ".into()),
            ..new(&["198.51.100.8/29", "198.51.101.7"])
        });
        let Valid { terms, warnings } = valid.unwrap();
        let texts: Vec<_> = terms.prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["198.51.100.8/29", "198.51.101.7/32"]);
        assert_eq!((terms.ticket.as_deref(), terms.note), (Some("OPS-1"), None));
        assert_eq!(terms.expires_at, Some("2027-02-20T10:00:00Z".parse().unwrap()));
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_to_do() {
        for (prefixes, why) in [
            (&["198.51.100.9/29"][..], "write 198.51.100.8/29"),
            (&["198.51.100.0/25"], "wider than /26"),
            (&["203.0.113.8/29"], "is in no pool"),
            (&["198.51.96.0/20"], "wider than /26"),
            (&["2001:db8:100::/47"], "wider than /48"),
            (&["198.51.100.8/29", "198.51.100.8/29"], "given twice"),
            (&["mail.example.com"], "is not an IP prefix"),
            (&["::ffff:198.51.100.8"], "write 198.51.100.8/32"),
            (&[], "at least one prefix"),
        ] {
            let invalid = validated(&new(prefixes)).unwrap_err();
            assert!(invalid.contains(why), "{prefixes:?}: {invalid}");
        }
        for (customer, why) in [
            ("", "empty"),
            ("a\u{1b}[2J", "U+001B"),
            (&*"x".repeat(201), "200 characters"),
        ] {
            let invalid = validated(&NewExemption {
                customer: customer.to_owned(),
                ..new(&["198.51.100.8"])
            });
            assert!(invalid.unwrap_err().contains(why), "{customer}");
        }
    }

    #[test]
    fn force_lets_through_what_is_wide_or_in_no_pool_and_nothing_else() {
        for (prefix, is_taken) in [
            ("198.51.100.0/25", true),
            ("203.0.113.0/29", true),
            ("203.0.113.1/29", false),
        ] {
            let valid = validated(&NewExemption {
                force: true,
                ..new(&[prefix])
            });
            assert_eq!(valid.is_ok(), is_taken, "{prefix}: {valid:?}");
        }
    }

    #[test]
    fn an_expiry_later_than_the_policy_recommends_is_warned_of() {
        for (expires, warning) in [
            (Some("31d"), "ends 2027-03-03 10:00:00 +00:00"),
            (None, "never expires"),
            (Some("never"), "never expires"),
        ] {
            let valid = validated(&NewExemption {
                expires: expires.map(str::to_owned),
                ..new(&["198.51.100.8"])
            });
            let warnings = valid.unwrap().warnings;
            assert!(
                warnings[0].contains(warning) && warnings[0].contains("exemption_max_age"),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn an_end_within_an_hour_is_warned_of_and_minutes_are_asked_about() {
        for (expires, expected) in [
            (
                "6m",
                &[
                    "this exemption ends in 6 minutes, at 2027-01-31 10:06:00 +00:00",
                    "6m is 6 minutes: for 6 months write 6mo",
                ][..],
            ),
            (
                "10:30",
                &["this exemption ends in 30 minutes, at 2027-01-31 10:30:00 +00:00"],
            ),
            (
                "59m59s",
                &["this exemption ends in 60 minutes, at 2027-01-31 10:59:59 +00:00"],
            ),
            ("1h", &[]),
            ("60m", &[]),
            ("20d", &[]),
        ] {
            let valid = validated(&NewExemption {
                expires: Some(expires.to_owned()),
                ..new(&["198.51.100.8"])
            });
            assert_eq!(valid.unwrap().warnings, expected, "{expires}");
        }
    }

    #[test]
    fn a_prefix_that_meets_no_destination_is_warned_of() {
        let valid = validated(&NewExemption {
            destinations: vec!["2001:db8::/32".into()],
            ..new(&["198.51.100.8", "2001:db8:100::/64"])
        });
        let warnings = valid.unwrap().warnings;
        assert_eq!(
            warnings,
            ["198.51.100.8/32 is never exempt: no destination is of its address family"]
        );
        let to_ipv4 = NewExemption {
            destinations: vec!["192.0.2.25".into()],
            ..new(&["2001:db8:100::/64"])
        };
        assert_eq!(validated(&to_ipv4).unwrap().warnings.len(), 1);
        // A translator is between them.
        let policy = format!("{POLICY}nat64: ['64:ff9b::/96']\n");
        assert!(validated_by(&policy, &to_ipv4).unwrap().warnings.is_empty());
    }
}
