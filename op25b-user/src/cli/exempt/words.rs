//! Formats the parts of an exemption for people.

use ipnet::IpNet;

pub(super) use crate::time::show::{end, end_from, instant};
use crate::{
    api::{Exemption, Origin},
    policy::characters,
    store::{Actor, State},
};

/// A user: by name, or by number if the system has no name.
pub(super) fn actor(actor: &Actor) -> String {
    if actor.name == actor.uid.to_string() {
        format!("uid {}", actor.uid)
    } else {
        printable(&actor.name)
    }
}

/// The word for a state.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Expired => "expired",
        State::Removed => "removed",
    }
}

/// Where an exemption is kept, in short.
pub(super) fn origin(exemption: &Exemption) -> String {
    match (&exemption.place, exemption.origin) {
        (Some(place), _) => {
            let name = place.file.file_name().unwrap_or(place.file.as_os_str());
            format!("{}:{}", printable(&name.to_string_lossy()), place.line)
        }
        (None, Origin::Policy) => "policy file".into(),
        (None, Origin::Store) => "store".into(),
    }
}

/// A list of prefixes.
pub(super) fn nets(nets: &[IpNet], separator: &str) -> String {
    let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
    texts.join(separator)
}

/// Text in one line, in which no character controls a terminal or is hidden.
pub(super) fn printable(text: &str) -> String {
    characters::printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_is_a_number() {
        let named = |name: &str| {
            actor(&Actor {
                uid: 1000,
                name: name.into(),
            })
        };
        assert_eq!(named("alice"), "alice");
        assert_eq!(named("1000"), "uid 1000");
    }
}
