//! Changes the policy of a filter while its program runs: one exemption more or less.

use op25b_common::names::{DESTINATIONS_V4, DESTINATIONS_V6};
use thiserror::Error;

use super::{error::LoadError, filter::Filter, maps};
use crate::{
    lpm::TablesFull,
    policy::{Dates, RuleChange},
};

/// Why a filter could not be changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The maps were created with some room, which is used up: the policy has to be loaded anew.
    #[error("the filter's maps have no room left for changes; load the policy anew")]
    Full {
        /// How many parts of the change hold.
        written: usize,
    },
    /// A map could not be written or mapped.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl ChangeError {
    /// Whether the filter is as it was before.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        match self {
            Self::Full { written } => *written == 0,
            // The tables are written after all that can fail so.
            Self::Load(_) => true,
        }
    }
}

impl Filter {
    /// Changes the policy that is enforced. At every moment each packet meets the old policy or the new one.
    ///
    /// If this fails, the parts of the change before the one that failed hold, each as a whole.
    pub fn apply(&mut self, change: &RuleChange) -> Result<(), ChangeError> {
        let (ebpf, tables) = self.parts_mut();
        let (memory, used) = tables.open(ebpf)?;
        maps::fill_trie(ebpf, DESTINATIONS_V4, &change.destinations_v4)?;
        maps::fill_trie(ebpf, DESTINATIONS_V6, &change.destinations_v6)?;
        let full = |written| move |_: TablesFull| ChangeError::Full { written };
        memory.write_classes(&change.classes).map_err(full(0))?;
        let mut prefixes = memory.prefixes(used);
        for (written, part) in change.tables.iter().enumerate() {
            part.write(&mut prefixes).map_err(full(written))?;
        }
        Ok(())
    }

    /// Changes when what the policy blocks is blocked from on. Every packet meets a date of before or a new one.
    pub fn set_dates(&mut self, dates: &Dates) -> Result<(), LoadError> {
        let (ebpf, tables) = self.parts_mut();
        let (memory, _) = tables.open(ebpf)?;
        memory.set_dates(dates);
        Ok(())
    }
}
