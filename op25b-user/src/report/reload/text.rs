//! The outcome of a reload as text.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use super::{Confirmed, PolicyInForce, ReloadAnswer, ReloadResult, UnconfirmedReload, WentBack};
use crate::{counted::counted, policy::Diff, time::show};

/// How much of a digest distinguishes policies for people.
const SHORT: usize = 12;

impl ReloadAnswer {
    /// How it ended, in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let stays = self.in_force.as_ref().map_or_else(
            || "the previous policy stays in force".to_owned(),
            |policy| format!("{policy} stays in force"),
        );
        match (self.result, &self.refused) {
            (ReloadResult::Reloaded, _) => {
                let now = self.in_force.as_ref().map_or_else(
                    || "the policy of the file is in force".to_owned(),
                    |policy| {
                        let since = shown(policy.loaded_at);
                        format!("policy {} is in force since {since}", short(&policy.sha256))
                    },
                );
                format!("reloaded: {now}; {}", changes(self.changes.as_ref()))
            }
            (ReloadResult::WouldReload, _) => format!(
                "would reload: policy {}, {}; until then {stays}",
                self.file_sha256.as_deref().map_or("of the file", short),
                changes(self.changes.as_ref()),
            ),
            (ReloadResult::Refused, why) => {
                let would_be = if self.dry_run { "would be " } else { "" };
                let why = why.as_deref().unwrap_or("the daemon gave no reason");
                format!("{would_be}REFUSED: {why}; {stays}")
            }
        }
    }

    /// What stands over the list of changes; `None` if they were made.
    #[must_use]
    pub fn changes_heading(&self) -> Option<&'static str> {
        match self.result {
            ReloadResult::Reloaded => None,
            ReloadResult::WouldReload => Some("would change:"),
            ReloadResult::Refused if self.dry_run => Some("would change, were it not refused:"),
            ReloadResult::Refused => Some("would have changed:"),
        }
    }
}

/// `2 changes`
fn changes(diff: Option<&Diff>) -> String {
    match diff.map(Diff::count) {
        None | Some(0) => "nothing changes".to_owned(),
        Some(count) => counted(count, "change"),
    }
}

/// The beginning of a digest.
fn short(sha256: &str) -> &str {
    sha256.get(..SHORT).unwrap_or(sha256)
}

fn shown(at: Timestamp) -> String {
    show::instant(at, &TimeZone::system())
}

impl fmt::Display for PolicyInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the policy loaded at {} ({})",
            shown(self.loaded_at),
            short(&self.sha256)
        )
    }
}

impl fmt::Display for UnconfirmedReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not confirmed: goes back to policy {} at {} unless `op25b confirm` comes before",
            short(&self.previous_sha256),
            shown(self.goes_back_at),
        )
    }
}

impl WentBack {
    /// What happened, and which policy is enforced instead.
    #[must_use]
    pub fn told(&self, instead: &PolicyInForce) -> String {
        format!(
            "the reload of policy {} by {} was not confirmed and was taken back at {}: the policy before it ({}) is in force",
            short(&self.sha256),
            self.by,
            shown(self.at),
            short(&instead.sha256),
        )
    }
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_force, reload, .. } = self;
        write!(
            f,
            "confirmed: policy {} stays in force; it would have gone back at {}",
            short(&in_force.sha256),
            shown(reload.goes_back_at)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Item, Items};

    fn answer(refused: Option<&str>, dry_run: bool) -> ReloadAnswer {
        let mut answer = ReloadAnswer {
            dry_run,
            refused: refused.map(str::to_owned),
            in_force: Some(PolicyInForce {
                file: "/etc/op25b/policy.yaml".into(),
                sha256: "0123456789abcdef".repeat(4),
                loaded_at: Timestamp::UNIX_EPOCH,
            }),
            file_sha256: Some("fedcba9876543210".repeat(4)),
            changes: Some(Diff::default()),
            ..ReloadAnswer::default()
        };
        answer.conclude();
        answer
    }

    #[test]
    fn the_first_line_says_whether_the_policy_is_in_force() {
        let done = answer(None, false).headline();
        assert!(
            done.starts_with("reloaded: policy 0123456789ab is in force since 1970-01-01 "),
            "{done}"
        );
        assert!(done.ends_with("; nothing changes"), "{done}");

        let refused = answer(Some("line 5 is wrong"), false).headline();
        assert!(
            refused.starts_with("REFUSED: line 5 is wrong; the policy loaded at 1970-01-01 "),
            "{refused}"
        );
        assert!(refused.ends_with(" (0123456789ab) stays in force"), "{refused}");

        let mut dry = answer(None, true);
        let one = Items {
            total: 2,
            items: Vec::<Item>::new(),
        };
        dry.changes.get_or_insert_default().pools.added = one;
        let dry = dry.headline();
        assert!(
            dry.starts_with("would reload: policy fedcba987654, 2 changes; until then the policy loaded at"),
            "{dry}"
        );
        let refused = answer(Some("no room"), true).headline();
        assert!(refused.starts_with("would be REFUSED: no room; "), "{refused}");
    }

    #[test]
    fn changes_that_were_not_made_are_headed_as_such() {
        assert_eq!(answer(None, false).changes_heading(), None);
        assert_eq!(answer(None, true).changes_heading(), Some("would change:"));
        assert_eq!(
            answer(Some("x"), false).changes_heading(),
            Some("would have changed:")
        );
        assert_eq!(
            answer(Some("x"), true).changes_heading(),
            Some("would change, were it not refused:")
        );
    }
}
