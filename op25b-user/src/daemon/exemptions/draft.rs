//! From what somebody asks for to an exemption that may be stored: everything that shows without the other exemptions.

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use ulid::Ulid;

use super::Refusal;
use crate::{
    api::NewExemption,
    policy::{self, ExemptionLimits, Handling, Rules},
    store::{Actor, Record},
};

/// The most prefixes of one exemption, and the most destinations.
const MOST_PREFIXES: usize = 256;
/// The longest customer or ticket, in characters.
const LONGEST_NAME: usize = 200;
/// The longest note.
const LONGEST_NOTE: usize = 2000;

/// An exemption that makes sense in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) customer: String,
    pub(super) prefixes: Vec<IpNet>,
    pub(super) destinations: Vec<IpNet>,
    pub(super) ticket: Option<String>,
    pub(super) note: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) warnings: Vec<String>,
}

impl Draft {
    /// The record of it.
    pub(super) fn record(self, id: Ulid, at: Timestamp, by: Actor) -> Record {
        Record {
            id,
            customer: self.customer,
            prefixes: self.prefixes,
            destinations: self.destinations,
            ticket: self.ticket,
            note: self.note,
            created_at: at,
            created_by: by,
            expires_at: self.expires_at,
            removed_at: None,
            revision: 0,
        }
    }
}

/// What is needed to tell whether an exemption makes sense.
pub(super) struct Judge<'a> {
    pub(super) limits: ExemptionLimits,
    pub(super) unlisted: Handling,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
    pub(super) time_zone: &'a TimeZone,
}

impl Judge<'_> {
    /// The exemption that is asked for.
    pub(super) fn draft(&self, new: &NewExemption) -> Result<Draft, Refusal> {
        let customer = line("customer", &new.customer, LONGEST_NAME)?;
        let ticket = optional(new.ticket.as_ref(), |text| line("ticket", text, LONGEST_NAME))?;
        let note = optional(new.note.as_ref(), |text| prose("note", text, LONGEST_NOTE))?;
        let prefixes = nets("prefixes", &new.prefixes)?;
        if prefixes.is_empty() {
            return Err(invalid("an exemption needs at least one prefix"));
        }
        let destinations = nets("destinations", &new.destinations)?;
        if !new.force {
            for prefix in &prefixes {
                self.check_width(*prefix)?;
                self.check_pool(*prefix)?;
            }
        }
        let expires_at = match &new.expires {
            None => None,
            Some(text) => self.end(text)?,
        };
        let mut warnings = self.warnings_of_end(expires_at);
        warnings.extend(warnings_of_families(&prefixes, &destinations));
        Ok(Draft {
            customer,
            prefixes,
            destinations,
            ticket,
            note,
            expires_at,
            warnings,
        })
    }

    /// When an exemption ends that is told so now.
    pub(super) fn end(&self, text: &str) -> Result<Option<Timestamp>, Refusal> {
        policy::end(text, self.now, self.time_zone).map_err(|why| invalid(format!("expires: {why}")))
    }

    /// What the policy wants to be said of when an exemption ends.
    pub(super) fn warnings_of_end(&self, expires_at: Option<Timestamp>) -> Vec<String> {
        let Some(most) = self.limits.max_age else {
            return Vec::new();
        };
        let days = most.as_hours() / 24;
        let ask = format!("the policy asks for an end within {days} days (exemption_max_age)");
        match expires_at {
            None => vec![format!("this exemption never ends; {ask}")],
            Some(end) if end.duration_since(self.now) > most => {
                vec![format!("this exemption ends at {end}; {ask}")]
            }
            Some(_) => Vec::new(),
        }
    }

    fn check_width(&self, net: IpNet) -> Result<(), Refusal> {
        let widest = match net {
            IpNet::V4(_) => self.limits.widest_v4,
            IpNet::V6(_) => self.limits.widest_v6,
        };
        if net.prefix_len() >= widest {
            return Ok(());
        }
        Err(invalid(format!(
            "{net} is wider than /{widest} (exemption_widest in the policy): is it all this customer's? Then add it with \
             force (`--force`)"
        )))
    }

    fn check_pool(&self, net: IpNet) -> Result<(), Refusal> {
        // With `unlisted: drop` it is blocked without a pool.
        if self.unlisted == Handling::Drop || self.rules.is_pooled(net) {
            return Ok(());
        }
        Err(invalid(format!(
            "{net} lies in no pool: nothing is blocked for it, so an exemption does nothing. Add it with force \
             (`--force`) if a pool is to come"
        )))
    }
}

fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::Invalid(why.into())
}

fn optional(
    text: Option<&String>,
    read: impl FnOnce(&str) -> Result<String, Refusal>,
) -> Result<Option<String>, Refusal> {
    // An empty cell of a table is one that says nothing.
    let said = text.filter(|text| !text.trim().is_empty());
    said.map(|text| read(text)).transpose()
}

/// A text for people in one line: these end up in logs and on terminals, which obey control characters.
fn line(key: &str, text: &str, longest: usize) -> Result<String, Refusal> {
    readable(key, text, longest, &[])
}

fn prose(key: &str, text: &str, longest: usize) -> Result<String, Refusal> {
    readable(key, text, longest, &['\n', '\t'])
}

pub(super) fn reason(text: &str) -> Result<String, Refusal> {
    prose("reason", text, LONGEST_NOTE)
}

fn readable(key: &str, text: &str, longest: usize, allowed: &[char]) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid(format!("{key} is empty")));
    }
    if text.chars().count() > longest {
        return Err(invalid(format!("{key} has more than {longest} characters")));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() && !allowed.contains(c)) {
        let code = u32::from(bad);
        return Err(invalid(format!(
            "{key} has a control character (U+{code:04X}) in it"
        )));
    }
    Ok(text.to_owned())
}

fn nets(key: &str, texts: &[String]) -> Result<Vec<IpNet>, Refusal> {
    if texts.len() > MOST_PREFIXES {
        return Err(invalid(format!(
            "{key}: more than {MOST_PREFIXES}; add several exemptions"
        )));
    }
    let mut nets = Vec::with_capacity(texts.len());
    for text in texts {
        let net = policy::prefix(text.trim()).map_err(|why| invalid(format!("{key}: {why}")))?;
        if nets.contains(&net) {
            return Err(invalid(format!("{key}: {net} is given twice")));
        }
        nets.push(net);
    }
    Ok(nets)
}

fn warnings_of_families(prefixes: &[IpNet], destinations: &[IpNet]) -> Vec<String> {
    let is_v4 = |net: &IpNet| net.addr().is_ipv4();
    let meets = |prefix: &IpNet| {
        destinations
            .iter()
            .any(|destination| is_v4(destination) == is_v4(prefix))
    };
    if destinations.is_empty() {
        return Vec::new();
    }
    let lonely = prefixes.iter().filter(|prefix| !meets(prefix));
    lonely
        .map(|prefix| format!("{prefix} is never let through: no destination is of its address family"))
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

    fn drafted(new: &NewExemption) -> Result<Draft, String> {
        let policy = parse("policy.yaml", POLICY).unwrap().policy;
        let judge = Judge {
            limits: policy.exemption_limits,
            unlisted: policy.block.unlisted,
            rules: &Rules::new(&policy).unwrap(),
            now: "2027-01-31T10:00:00Z".parse().unwrap(),
            time_zone: &TimeZone::UTC,
        };
        judge.draft(new).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_makes_sense_is_taken_as_it_is() {
        let draft = drafted(&NewExemption {
            destinations: vec!["192.0.2.0/24".into()],
            ticket: Some(" OPS-1 ".into()),
            note: Some(" ".into()),
            ..new(&["198.51.100.8/29", "198.51.101.7"])
        });
        let draft = draft.unwrap();
        let texts: Vec<_> = draft.prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["198.51.100.8/29", "198.51.101.7/32"]);
        assert_eq!((draft.ticket.as_deref(), draft.note), (Some("OPS-1"), None));
        assert_eq!(draft.expires_at, Some("2027-02-20T10:00:00Z".parse().unwrap()));
        assert_eq!(draft.warnings, [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_to_do() {
        for (prefixes, why) in [
            (&["198.51.100.9/29"][..], "write 198.51.100.8/29"),
            (&["198.51.100.0/25"], "wider than /26"),
            (&["203.0.113.8/29"], "lies in no pool"),
            (&["198.51.96.0/20"], "wider than /26"),
            (&["2001:db8:100::/47"], "wider than /48"),
            (&["198.51.100.8/29", "198.51.100.8/29"], "given twice"),
            (&["mail.example.com"], "is not an IP prefix"),
            (&["::ffff:198.51.100.8"], "write 198.51.100.8/32"),
            (&[], "at least one prefix"),
        ] {
            let refusal = drafted(&new(prefixes)).unwrap_err();
            assert!(refusal.contains(why), "{prefixes:?}: {refusal}");
        }
        for (customer, why) in [
            ("", "empty"),
            ("a\u{1b}[2J", "U+001B"),
            (&*"x".repeat(201), "200 characters"),
        ] {
            let refusal = drafted(&NewExemption {
                customer: customer.to_owned(),
                ..new(&["198.51.100.8"])
            });
            assert!(refusal.unwrap_err().contains(why), "{customer}");
        }
    }

    #[test]
    fn force_lets_through_what_is_wide_or_in_no_pool_and_nothing_else() {
        for (prefix, is_taken) in [
            ("198.51.100.0/25", true),
            ("203.0.113.0/29", true),
            ("203.0.113.1/29", false),
        ] {
            let draft = drafted(&NewExemption {
                force: true,
                ..new(&[prefix])
            });
            assert_eq!(draft.is_ok(), is_taken, "{prefix}: {draft:?}");
        }
    }

    #[test]
    fn an_end_that_is_later_than_the_policy_asks_for_is_warned_of() {
        for (expires, warning) in [
            (Some("31d"), "ends at 2027-03-03"),
            (None, "never ends"),
            (Some("never"), "never ends"),
        ] {
            let draft = drafted(&NewExemption {
                expires: expires.map(str::to_owned),
                ..new(&["198.51.100.8"])
            });
            let warnings = draft.unwrap().warnings;
            assert!(
                warnings[0].contains(warning) && warnings[0].contains("exemption_max_age"),
                "{warnings:?}"
            );
        }
    }

    #[test]
    fn a_prefix_that_meets_no_destination_is_warned_of() {
        let draft = drafted(&NewExemption {
            destinations: vec!["2001:db8::/32".into()],
            ..new(&["198.51.100.8", "2001:db8:100::/64"])
        });
        let warnings = draft.unwrap().warnings;
        assert_eq!(
            warnings,
            ["198.51.100.8/32 is never let through: no destination is of its address family"]
        );
    }
}
