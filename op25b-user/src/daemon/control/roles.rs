//! The roles at the control socket: what the members of each group may do.

use axum::{
    Extension,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use nix::unistd::{Gid, Group};
use tracing::info;

use super::server::Credentials;
use crate::api::Problem;

/// The group whose members may do everything.
pub(crate) const GROUP: &str = Role::Everything.group();

/// What a user may do at the socket; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Read what is about the filter and its numbers. Whoever can open the socket has this role.
    View,
    /// Read what is about subscribers and customers, and change exemptions one by one.
    Desk,
    /// Everything.
    Everything,
}

impl Role {
    const ALL: [Self; 3] = [Self::View, Self::Desk, Self::Everything];

    /// The group whose members have it.
    pub(super) const fn group(self) -> &'static str {
        match self {
            Self::View => "op25b-view",
            Self::Desk => "op25b-desk",
            Self::Everything => "op25b",
        }
    }
}

/// The groups of this machine that give roles, by their numbers. One that does not exist has no members.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups([Option<Gid>; Role::ALL.len()]);

impl Groups {
    /// Looks them up.
    pub(super) fn of_this_machine() -> Self {
        let groups = Self(Role::ALL.map(|role| {
            Group::from_name(role.group())
                .ok()
                .flatten()
                .map(|group| group.gid)
        }));
        if groups.of(Role::Everything).is_none() {
            info!("there is no group {GROUP}: only this user may use the control socket");
        }
        groups
    }

    /// The group that gives a role, if it exists.
    pub(super) fn of(&self, role: Role) -> Option<Gid> {
        let [view, desk, everything] = self.0;
        match role {
            Role::View => view,
            Role::Desk => desk,
            Role::Everything => everything,
        }
    }

    /// The highest role that one of these groups gives.
    pub(super) fn role_of(&self, groups: &[libc::gid_t]) -> Role {
        let given = |role: &Role| {
            self.of(*role)
                .is_some_and(|group| groups.contains(&group.as_raw()))
        };
        Role::ALL.into_iter().filter(given).max().unwrap_or(Role::View)
    }

    #[cfg(test)]
    pub(super) fn fake(everything: u32, desk: u32, view: u32) -> Self {
        Self([view, desk, everything].map(|id| Some(Gid::from_raw(id))))
    }
}

/// Refuses a request of a user who does not have the role that it takes.
pub(super) async fn permit(
    State(role): State<Role>,
    Extension(credentials): Extension<Credentials>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if credentials.role >= role {
        return Ok(next.run(request).await);
    }
    let groups = Role::ALL.into_iter().filter(|one| *one >= role).map(Role::group);
    Err(Problem::forbidden(format!(
        "user {} may not do this: it takes root or membership in the group {} (`usermod -aG {} USER`, then log in again)",
        credentials.uid,
        groups.collect::<Vec<_>>().join(" or "),
        role.group(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_a_users_groups_counts_and_nobody_is_in_a_group_that_does_not_exist() {
        let groups = Groups::fake(25, 26, 27);
        for (of_user, role) in [
            (&[1000][..], Role::View),
            (&[], Role::View),
            (&[1000, 27], Role::View),
            (&[27, 26], Role::Desk),
            (&[25, 27], Role::Everything),
        ] {
            assert_eq!(groups.role_of(of_user), role, "{of_user:?}");
        }
        assert_eq!(Groups::default().role_of(&[0, 25, 26, 27]), Role::View);
    }
}
