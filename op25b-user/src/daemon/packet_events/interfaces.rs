//! The names of interfaces by their indices, each looked up again after a second.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use nix::net::if_::if_indextoname;

/// How long a name is taken for the one that the interface has.
const AGE: Duration = Duration::from_secs(1);
/// The most names that are kept: an index is not given again.
const MOST: usize = 1024;

/// The names that were looked up.
#[derive(Default)]
pub(super) struct InterfaceNames(HashMap<u32, (String, Instant)>);

impl InterfaceNames {
    /// The name of an interface; the last one of an interface that is gone, or its index if it never had one here.
    pub(super) fn of(&mut self, index: u32) -> String {
        let now = Instant::now();
        if let Some((name, at)) = self.0.get(&index)
            && now.duration_since(*at) < AGE
        {
            return name.clone();
        }
        let found = if_indextoname(index).ok();
        let found = found.and_then(|name| name.into_string().ok());
        let found = found.filter(|name| !name.is_empty());
        let before = self.0.get(&index).map(|(name, _)| name.clone());
        let name = found.or(before).unwrap_or_else(|| format!("if{index}"));
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(index, (name.clone(), now));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_goes_by_its_name_and_by_its_index_without_one() {
        let mut names = InterfaceNames::default();
        // The loopback interface is the first of every network namespace.
        assert_eq!((names.of(1), names.of(1)), ("lo".to_owned(), "lo".to_owned()));
        assert_eq!(names.of(u32::MAX), "if4294967295");
    }
}
