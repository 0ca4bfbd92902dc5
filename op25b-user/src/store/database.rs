//! The databases in the state directory.

use std::path::{Path, PathBuf};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// Exemptions that were added at run time, and the audit of their changes.
    Exemptions,
    /// What subscribers did, by bucket.
    Activity,
    /// Which customer had which address, and when.
    Sessions,
    /// Which customers were written to, and when.
    Notices,
}

impl Database {
    const ALL: [Self; 4] = [Self::Exemptions, Self::Activity, Self::Sessions, Self::Notices];

    /// The name of its file.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Exemptions => "exemptions.db",
            Self::Activity => "activity.db",
            Self::Sessions => "sessions.db",
            Self::Notices => "notices.db",
        }
    }

    /// Its path in a state directory.
    pub(crate) fn path(self, state_dir: &Path) -> PathBuf {
        state_dir.join(self.file_name())
    }

    /// What errors call the database in a file. Files beside one have its name with a suffix; others are of the exemptions.
    pub(crate) fn noun_of(file: &Path) -> &'static str {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let database = Self::ALL
            .into_iter()
            .find(|database| name.starts_with(database.file_name()));
        match database.unwrap_or(Self::Exemptions) {
            Self::Exemptions => "exemption store",
            Self::Activity => "history of activity",
            Self::Sessions => "session store",
            Self::Notices => "record of notices",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_database_that_it_is_about() {
        for (file, noun) in [
            ("exemptions.db", "exemption store"),
            ("exemptions.db.backup", "exemption store"),
            ("activity.db", "history of activity"),
            ("activity.db-wal", "history of activity"),
            ("sessions.db", "session store"),
            ("notices.db-shm", "record of notices"),
        ] {
            assert_eq!(
                Database::noun_of(Path::new("/var/lib/op25b").join(file).as_path()),
                noun
            );
        }
    }
}
