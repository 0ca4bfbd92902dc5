//! What changes the verdict of a diagnosis: the commands and edits, what lets pass before what blocks.

use std::borrow::Cow;

use ipnet::IpNet;

use super::{
    parts::address_or_prefix,
    pools::PassesAnyway,
    types::{AskedKind, Diagnosis, Observed, Part},
};
use crate::{
    api::{Explained, FilePosition, NotInForce, NotInForceState, Rule},
    policy::characters::printable,
};

/// The most actions that are proposed.
const MOST: usize = 5;

impl Diagnosis {
    /// Adds what changes the verdicts. `subscriber` is the prefix of the subscriber, if one address was asked about.
    pub(crate) fn add_actions(&mut self, subscriber: Option<IpNet>) {
        let parts = self.targets.iter().flat_map(|target| &target.parts);
        let mut actions: Vec<String> = Vec::new();
        for (part, place) in parts.flat_map(|part| part.verdicts.iter().map(move |place| (part, place))) {
            let action = match &place.observed {
                Observed::Decided { explained } => self.action(part, explained, subscriber),
                Observed::Unfiltered { .. } => {
                    Some("`op25b status` shows why no filter runs there".to_owned())
                }
                Observed::Missing | Observed::Unknown { .. } => None,
            };
            actions.extend(action.filter(|action| !actions.contains(action)));
        }
        actions.sort_by_key(|action| action.starts_with(TO_BLOCK));
        actions.truncate(MOST);
        let needs_daemon =
            |action: &String| action.contains("`op25b exempt ") || action.contains("`op25b reload`");
        if !self.daemon && actions.iter().any(needs_daemon) {
            actions.insert(0, "first start the daemon: `systemctl start op25b`".to_owned());
        }
        self.actions = actions;
    }

    fn action(&self, part: &Part, explained: &Explained, subscriber: Option<IpNet>) -> Option<String> {
        let rule = explained.rule.as_ref();
        if explained.verdict != "pass"
            && let Some(missing) = explained.not_in_force.first()
        {
            return Some(self.in_force(missing, part, subscriber));
        }
        if let Some(pause) = &explained.pause {
            return Some(format!("{TO_BLOCK}{}", resume(pause.pool.as_deref())));
        }
        match &*explained.reason {
            "exempt" => rule.map(|rule| self.no_longer_exempt(rule, part)),
            "blocked" => Some(add(part, None, subscriber)),
            "not_pooled" if explained.verdict != "pass" => Some(add(part, None, subscriber)),
            // A prefix that is partly in a pool needs nothing for the rest of it.
            "not_pooled" if self.kind != AskedKind::Prefix => Some(format!(
                "{TO_BLOCK}add its prefix to a pool of the policy, then `op25b reload`"
            )),
            "monitored" => rule.map(enforced),
            _ => None,
        }
    }

    /// What puts an exemption in force.
    fn in_force(&self, missing: &NotInForce, part: &Part, subscriber: Option<IpNet>) -> String {
        let id = printable(&missing.id);
        match (missing.state, &missing.place) {
            (NotInForceState::Expired, None) => format!("`op25b exempt extend {id} --expires 1y`"),
            (NotInForceState::Expired, Some(place)) => {
                format!("a later `expires` at {}, then `op25b reload`", at(place))
            }
            (NotInForceState::Removed, _) => {
                // The end that it had would be refused.
                let has_ended = missing.expires_at.is_some_and(|end| end <= self.at);
                let end = if has_ended { " --expires 1y" } else { "" };
                format!("`op25b exempt restore {id}{end} --reason '...'`")
            }
            (NotInForceState::OtherDestinations, None) => add(part, Some(missing), subscriber),
            (NotInForceState::OtherDestinations, Some(place)) => {
                format!("more `destinations` at {}, then `op25b reload`", at(place))
            }
            (NotInForceState::NotEnforced, _) => {
                "`op25b reload`, which loads the stored exemptions again; `op25b status` shows the fault"
                    .to_owned()
            }
        }
    }

    /// What blocks the packets that an exemption lets pass.
    fn no_longer_exempt(&self, rule: &Rule, part: &Part) -> String {
        let address = part.prefixes.first().map(IpNet::addr);
        let passes_anyway = address.and_then(|address| self.pools.passes_anyway(address));
        let (more, is_edit) = match passes_anyway {
            None => (String::new(), false),
            Some(PassesAnyway::Paused(pool)) => (format!(", and {}", resume(Some(pool))), false),
            Some(PassesAnyway::Monitored(pool)) => {
                let pool = printable(pool);
                let enforce = format!(", and `mode: enforce` and no later `enforce_from` for pool {pool}");
                (enforce, true)
            }
            Some(PassesAnyway::InNoPool) => (", and add its prefix to a pool of the policy".to_owned(), true),
        };
        let remove = match (&rule.place, &rule.id) {
            (Some(place), _) => format!("remove the exemption at {}", at(place)),
            (None, Some(id)) => format!("`op25b exempt remove {} --reason '...'`", printable(id)),
            (None, None) => {
                return format!(
                    "{TO_BLOCK}start the daemon, which names the exemption; neither a policy file nor a store that can be \
                     read here has it"
                );
            }
        };
        let reload = if is_edit || rule.place.is_some() {
            ", then `op25b reload`"
        } else {
            ""
        };
        format!("{TO_BLOCK}{remove}{more}{reload}")
    }
}

/// What the actions begin with that block packets.
const TO_BLOCK: &str = "to block it: ";

/// What ends monitor mode.
fn enforced(rule: &Rule) -> String {
    let place = rule.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!(" ({})", at(place)));
    format!(
        "{TO_BLOCK}`mode: enforce` and no later `enforce_from` for pool {}{place}, then `op25b reload`",
        printable(&rule.name)
    )
}

/// The command that ends the pause of a pool, or of everything.
fn resume(pool: Option<&str>) -> String {
    match pool {
        Some(pool) => format!("`op25b resume --pool {}`", word(pool)),
        None => "`op25b resume`".to_owned(),
    }
}

/// `op25b exempt add`, for the customer of another exemption if there is one.
fn add(part: &Part, exemption: Option<&NotInForce>, subscriber: Option<IpNet>) -> String {
    let prefix = subscriber.or_else(|| part.prefixes.first().copied());
    let prefix = prefix.map_or_else(|| "PREFIX".to_owned(), address_or_prefix);
    let customer = exemption.map_or_else(|| "NAME".to_owned(), |one| quoted(&one.customer));
    format!("`op25b exempt add {prefix} --customer {customer} --ticket TICKET --expires 1y`")
}

/// A text as one word of a shell, quoted where it has to be.
fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    if text.chars().all(is_plain) {
        text.into()
    } else {
        quoted(text).into()
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', r"'\''"))
}

fn at(place: &FilePosition) -> String {
    format!("{}:{}", place.file.display(), place.line)
}
