//! A store that does not exist yet: it has no records.

use jiff::Timestamp;
use ulid::Ulid;

use crate::store::{Event, Operation, OperationQuery, Query, Record, Records, Revision, StoreError};

/// A store without records.
pub(super) struct EmptyStore;

impl Records for EmptyStore {
    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(0)
    }

    fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn get(&self, _: Ulid) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    fn ids_between(&self, _: Ulid, _: Ulid, _: usize) -> Result<(Vec<Ulid>, usize), StoreError> {
        Ok((Vec::new(), 0))
    }

    fn batches_between(&self, _: Ulid, _: Ulid, _: usize) -> Result<Vec<(Ulid, usize)>, StoreError> {
        Ok(Vec::new())
    }

    fn list(&self, _: &Query, _: Timestamp) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn events(&self, _: Option<Ulid>, _: Revision, _: usize) -> Result<Vec<Event>, StoreError> {
        Ok(Vec::new())
    }

    fn operations(&self, _: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        Ok(Vec::new())
    }
}
