//! Whether the store at a start is the one whose exemptions a pinned filter enforces.
//!
//! A start with another one would take the exemptions of the first out of the kernel, and the start after that, with the right
//! one, would find it behind what was enforced meanwhile.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tracing::{info, warn};

use crate::{
    datapath::Directories,
    state_dir::{in_time, is_same_directory},
    store::{Records as _, Revision, StoreError, sqlite},
};

/// How long the disk of a state directory may take to show which store it has.
const DISK_TIME: Duration = Duration::from_secs(4);

/// The store of a pinned filter, and the one that a start is given.
pub(super) struct StoreAtStart<'a> {
    /// The directories of the daemon that loaded the filter.
    pub(super) recorded: &'a Directories,
    /// The last revision of its store that was enforced.
    pub(super) enforced: Revision,
    /// The state directory of this start.
    pub(super) given: &'a Path,
    /// The state directory whose filter is to be taken over with whatever store is given.
    pub(super) previous: Option<&'a Path>,
}

/// What a state directory has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The store of the filter, or a copy of it.
    Its(Revision),
    /// A store of another identity.
    Other(Revision),
    /// A store whose identity, or that of the filter's, is not known.
    Unknown(Revision),
    Unreadable(String),
}

/// A start with a store that lacks the exemptions of the filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the pinned filter enforces the exemptions of a store in {} (revision {enforced}), and {} has {found}: starting with that would \
     block customers who are exempt now. Nothing was changed, and the filter goes on. {}",
    recorded.display(),
    if *is_same { Path::new("this directory").display() } else { given.display() },
    self.remedy()
)]
pub(super) struct OtherStore {
    recorded: PathBuf,
    enforced: Revision,
    given: PathBuf,
    /// Whether both are one directory.
    is_same: bool,
    found: Found,
}

impl StoreAtStart<'_> {
    /// The last revision of the given store that was enforced: of one that is not the filter's, none was.
    ///
    /// # Errors
    ///
    /// [`OtherStore`] if it is not the filter's or lacks what was enforced, unless `previous` asks for that. A store that is where it
    /// was is never refused for what it lacks: it is recovered.
    pub(super) fn enforced_revision(&self, begin_thread: fn()) -> Result<Revision, OtherStore> {
        if self.enforced == 0 {
            // The filter has no stored exemption to lose.
            return Ok(0);
        }
        let recorded = &self.recorded.state;
        let is = |directory| is_same_directory(recorded, directory, DISK_TIME, begin_thread) == Some(true);
        let (given, identity) = (self.given.to_owned(), self.recorded.store.clone());
        let found = in_time(DISK_TIME, begin_thread, move || find(&given, identity.as_deref()))
            .and_then(|found| Ok(found?))
            .unwrap_or_else(|error| Found::Unreadable(format!("{error:#}")));
        self.judge(is(self.given), found, self.previous.is_some_and(is))
    }

    fn judge(&self, is_same: bool, found: Found, is_asked_for: bool) -> Result<Revision, OtherStore> {
        let (recorded, given) = (&self.recorded.state, self.given);
        match found {
            Found::Other(_) => {}
            _ if is_same => return Ok(self.enforced),
            Found::Its(revision) if revision >= self.enforced => {
                info!(
                    from = %recorded.display(),
                    to = %given.display(),
                    "the store of the pinned filter was moved"
                );
                return Ok(self.enforced);
            }
            _ => {}
        }
        if !is_asked_for {
            return Err(OtherStore {
                recorded: recorded.clone(),
                enforced: self.enforced,
                given: given.to_owned(),
                is_same,
                found,
            });
        }
        warn!(
            before = %recorded.display(),
            now = %given.display(),
            "taking over a filter with another store, as --previous-state-dir demands: exemptions that only the store before has are \
             enforced no more"
        );
        // Revisions of different stores cannot be compared.
        Ok(match found {
            Found::Its(_) => self.enforced,
            _ => 0,
        })
    }
}

/// What a state directory has, compared with the identity of the filter's store.
fn find(directory: &Path, identity: Option<&str>) -> Result<Found, StoreError> {
    let Some(store) = sqlite::open_read_only(directory)? else {
        return Ok(Found::Nothing);
    };
    let revision = store.revision()?;
    Ok(match (store.identity()?.as_deref(), identity) {
        (Some(found), Some(identity)) if found == identity => Found::Its(revision),
        (Some(_), Some(_)) => Found::Other(revision),
        _ => Found::Unknown(revision),
    })
}

impl OtherStore {
    /// What to do, in whole sentences.
    fn remedy(&self) -> String {
        let (recorded, given) = (self.recorded.display(), self.given.display());
        let without =
            format!("to go on without what only the other store has, add --previous-state-dir {recorded}");
        if self.is_same {
            return format!("Put that store back (see the files {recorded}/exemptions.db*); or, {without}");
        }
        format!("Start with --state-dir {recorded}; or move its files to {given}; or, {without}")
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no store"),
            Self::Its(revision) => write!(f, "an older copy of it (revision {revision})"),
            Self::Other(revision) => write!(f, "another store (revision {revision})"),
            Self::Unknown(revision) => write!(
                f,
                "a store that is not known to be the same (revision {revision})"
            ),
            Self::Unreadable(why) => write!(f, "none that can be read ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    /// What becomes of a start with a store where revision 22 of the filter's was enforced.
    fn judged(is_same: bool, found: Found, is_asked_for: bool) -> Result<Revision, String> {
        let mut recorded = Directories::new(
            Path::new("/sys/fs/bpf/op25b"),
            Path::new("/run/op25b"),
            Path::new("/var/lib/op25b"),
        )
        .unwrap();
        recorded.store = Some(ID.to_owned());
        let start = StoreAtStart {
            recorded: &recorded,
            enforced: 22,
            given: Path::new("/data/op25b"),
            previous: None,
        };
        start
            .judge(is_same, found, is_asked_for)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_store_of_the_filter_is_taken_over_where_it_was_whatever_it_lacks_and_elsewhere_if_it_lacks_nothing()
     {
        for found in [
            Found::Nothing,
            Found::Its(3),
            Found::Its(23),
            Found::Unknown(0),
            Found::Unreadable("damaged".to_owned()),
        ] {
            assert_eq!(judged(true, found, false), Ok(22));
        }
        assert_eq!(judged(false, Found::Its(22), false), Ok(22));
    }

    #[test]
    fn another_store_is_refused_with_what_is_where_unless_it_is_asked_for_and_then_its_revisions_are_its_own()
    {
        for (is_same, found) in [
            (true, Found::Other(30)),
            (false, Found::Other(30)),
            (false, Found::Nothing),
            (false, Found::Unknown(22)),
            (false, Found::Unreadable("damaged".to_owned())),
        ] {
            let refusal = judged(is_same, found.clone(), false).unwrap_err();
            let told = [
                "in /var/lib/op25b (revision 22)",
                &format!("has {found}"),
                "Nothing was changed",
                "--previous-state-dir /var/lib/op25b",
            ];
            assert!(told.iter().all(|part| refusal.contains(part)), "{refusal}");
            assert_eq!(
                refusal.contains("Start with --state-dir /var/lib/op25b"),
                !is_same
            );
            assert_eq!(judged(is_same, found, true), Ok(0));
        }
        let refusal = judged(false, Found::Its(7), false).unwrap_err();
        assert!(
            refusal.contains("/data/op25b has an older copy of it (revision 7)"),
            "{refusal}"
        );
        // It has lost what was enforced since.
        assert_eq!(judged(false, Found::Its(7), true), Ok(22));
    }

    #[test]
    fn the_identity_of_a_store_is_that_of_its_copies() {
        let dir = tempfile::tempdir().unwrap();
        let (one, copy, other) = (
            dir.path().join("one"),
            dir.path().join("copy"),
            dir.path().join("other"),
        );
        assert_eq!(find(&one, Some(ID)).unwrap(), Found::Nothing);
        for store in [&one, &other] {
            drop(sqlite::open(store));
        }
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(one.join("exemptions.db"), copy.join("exemptions.db")).unwrap();
        let identity = sqlite::open_read_only(&one).unwrap().unwrap().identity().unwrap();
        let found = |directory| find(directory, identity.as_deref()).unwrap();
        assert_eq!(
            [&one, &copy, &other].map(|directory| found(directory)),
            [Found::Its(0), Found::Its(0), Found::Other(0)]
        );
        assert_eq!(find(&one, None).unwrap(), Found::Unknown(0));
    }
}
