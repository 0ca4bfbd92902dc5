//! The texts of a policy, in files that are open: what is written is what was enforced, whatever the files have become.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use jiff::Timestamp;

use crate::{
    policy,
    state_dir::{KeptList, KeptPolicy, OpenedPolicy, Origin, Slot},
};

/// A policy with the open files of its texts.
#[derive(Debug)]
pub(in crate::daemon) struct PolicyText {
    origin: Origin,
    opened: Arc<File>,
    /// Where the text begins in the file.
    text_at: u64,
    /// In the order of the origin's.
    lists: Vec<Arc<File>>,
}

impl PolicyText {
    /// The texts of a policy that is enforced from now on; none for one that was read from the state directory.
    pub(in crate::daemon) fn of(file: &policy::File) -> Option<Self> {
        let lists = file.lists.iter().map(|list| {
            let kept = KeptList {
                name: list.name.clone(),
                sha256: list.sha256.clone()?,
            };
            Some((kept, Arc::clone(list.opened.as_ref()?)))
        });
        let (kept, lists) = lists.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        Some(Self {
            origin: Origin {
                sha256: file.sha256.clone(),
                enforced_at: Timestamp::now(),
                policy_file: file.path.clone(),
                lists: kept,
            },
            opened: Arc::clone(file.opened.as_ref()?),
            text_at: 0,
            lists,
        })
    }

    /// The texts of the policy of an origin, as they are kept in the state directory.
    pub(in crate::daemon) fn kept(state_dir: &Path, slot: Slot, origin: Origin) -> anyhow::Result<Self> {
        let OpenedPolicy { file, text_at, lists } = KeptPolicy::open(state_dir, slot, &origin)?;
        Ok(Self {
            origin,
            opened: Arc::new(file),
            text_at,
            lists: lists.into_iter().map(Arc::new).collect(),
        })
    }

    /// Where the texts came from.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The digest of the texts.
    pub(super) fn sha256(&self) -> &str {
        &self.origin.sha256
    }

    /// The files in which it is kept.
    pub(super) fn paths(&self, state_dir: &Path, slot: Slot) -> Vec<PathBuf> {
        KeptPolicy::paths(state_dir, slot, &self.origin)
    }

    /// Keeps it, unless it is kept already. Only one thread may do so at a time.
    pub(super) fn write(&self, state_dir: &Path, slot: Slot) -> anyhow::Result<()> {
        if KeptPolicy::is_kept(state_dir, slot, self.sha256()) {
            return Ok(());
        }
        let again = |file: &File, begin| {
            let mut file = file;
            let seek = file.seek(SeekFrom::Start(begin));
            seek.with_context(|| {
                let path = self.origin.policy_file.display();
                format!("cannot read {path} and its lists again")
            })
        };
        again(&self.opened, self.text_at)?;
        for list in &self.lists {
            again(list, 0)?;
        }
        let mut lists: Vec<&File> = self.lists.iter().map(AsRef::as_ref).collect();
        KeptPolicy::write(
            state_dir,
            slot,
            &self.origin,
            &mut self.opened.as_ref(),
            &mut lists,
        )?;
        Ok(())
    }
}
