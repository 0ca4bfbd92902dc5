//! Removes sessions, so that nothing of them stays in the file or in its log.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior};

use super::Sessions;
use crate::store::{StoreError, sqlite::disposable};

impl Sessions {
    /// Removes a customer with all sessions; returns how many they were. The name must be the same, character by character.
    pub fn remove_customer(&mut self, name: &str) -> Result<usize, StoreError> {
        self.remove(|transaction| {
            let id: Option<i64> = transaction
                .query_row("SELECT id FROM customers WHERE name = ?", [name], |row| {
                    row.get(0)
                })
                .optional()?;
            let Some(id) = id else { return Ok(0) };
            transaction.execute("DELETE FROM sessions WHERE customer = ?", [id])
        })
    }

    /// Removes the sessions that were seen last before a time; returns how many they were.
    pub fn remove_before(&mut self, before: Timestamp) -> Result<usize, StoreError> {
        self.remove(|transaction| {
            transaction.execute("DELETE FROM sessions WHERE seen < ?", [before.as_second()])
        })
    }

    fn remove(
        &mut self,
        which: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize>,
    ) -> Result<usize, StoreError> {
        let Self { file, connection } = self;
        let removed = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let count = which(&transaction)?;
            transaction.execute(
                "DELETE FROM customers WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE customer = customers.id)",
                [],
            )?;
            transaction.commit()?;
            disposable::checkpoint(connection)?;
            Ok(count)
        };
        let removed: rusqlite::Result<usize> = removed();
        removed.map_err(|error| disposable::error_of(connection, file, error))
    }
}
