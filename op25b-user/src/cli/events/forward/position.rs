//! The file that says up to which event everything was forwarded, so that a start goes on there.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;

use crate::state_dir::replace_file;

/// The file, if there is to be one.
pub(super) struct Position(Option<PathBuf>);

impl Position {
    pub(super) fn of(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// The number of the last event that was forwarded; `None` if none was.
    pub(super) fn read(&self) -> anyhow::Result<Option<u64>> {
        let Some(path) = &self.0 else {
            return Ok(None);
        };
        match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => {
                let text = read.with_context(|| format!("cannot read {}", path.display()))?;
                let number = text.trim().parse().with_context(|| {
                    format!(
                        "{} holds no number of an event; without that file events are forwarded from now on",
                        path.display()
                    )
                })?;
                Ok(Some(number))
            }
        }
    }

    /// Notes a number. The file has this or the number before it, whatever happens.
    pub(super) fn write(&self, number: u64) -> anyhow::Result<()> {
        let Some(path) = &self.0 else {
            return Ok(());
        };
        replace_file(path, |file| writeln!(file, "{number}"))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_goes_on_where_the_last_one_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("position");
        let position = Position::of(Some(path.clone()));
        assert_eq!(position.read().unwrap(), None);
        position.write(41).unwrap();
        position.write(42).unwrap();
        assert_eq!(Position::of(Some(path.clone())).read().unwrap(), Some(42));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

        fs::write(&path, "x").unwrap();
        let refusal = format!("{:#}", position.read().unwrap_err());
        assert!(refusal.contains("holds no number of an event"), "{refusal}");
        let none = Position::of(None);
        none.write(1).unwrap();
        assert_eq!(none.read().unwrap(), None);
    }
}
