//! Removes sessions, so that nothing of them stays in the file or in its log.

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Sessions, row::Key};
use crate::store::{Deleted, StoreError, sqlite::disposable};

impl Sessions {
    /// Removes a customer with all sessions. The name must be the same, character by character.
    pub fn remove_customer(&mut self, name: &str) -> Result<Deleted, StoreError> {
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

    /// Removes the sessions that ended before a time, and those without an end after which the prefix was handed out again before
    /// it.
    pub fn remove_before(&mut self, before: Timestamp) -> Result<Deleted, StoreError> {
        self.remove(|transaction| {
            transaction.execute(
                "DELETE FROM sessions WHERE seen < ?1 AND (is_ended OR EXISTS (
                    SELECT 1 FROM sessions AS later WHERE later.family = sessions.family AND later.address = sessions.address
                        AND later.length = sessions.length AND later.start > sessions.start AND later.start < ?1))",
                [before.as_second()],
            )
        })
    }

    /// Removes the sessions of prefixes that overlap a prefix; with a time, those that were seen last before it.
    pub fn remove_within(&mut self, within: IpNet, before: Option<Timestamp>) -> Result<Deleted, StoreError> {
        let before = before.map_or(i64::MAX, Timestamp::as_second);
        let within = within.trunc();
        self.remove(|transaction| {
            let (first, last) = (Key::of(within), Key::last_of(within));
            let mut removed = transaction.execute(
                "DELETE FROM sessions WHERE family = ? AND address BETWEEN ? AND ? AND length >= ? AND seen < ?",
                params![first.family, first.address(), last.address(), first.length, before],
            )?;
            for length in 0..within.prefix_len() {
                let Ok(around) = IpNet::new(within.addr(), length) else {
                    continue;
                };
                let key = Key::of(around.trunc());
                removed += transaction.execute(
                    "DELETE FROM sessions WHERE family = ? AND address = ? AND length = ? AND seen < ?",
                    params![key.family, key.address(), key.length, before],
                )?;
            }
            Ok(removed)
        })
    }

    fn remove(
        &mut self,
        which: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize>,
    ) -> Result<Deleted, StoreError> {
        let Self { file, connection } = self;
        let removed = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let rows = which(&transaction)? as u64;
            transaction.execute(
                "DELETE FROM customers WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE customer = customers.id)",
                [],
            )?;
            transaction.commit()?;
            let is_in_log = !disposable::empty_log(connection)?;
            Ok(Deleted { rows, is_in_log })
        };
        let removed: rusqlite::Result<Deleted> = removed();
        removed.map_err(|error| disposable::error_of(connection, file, error))
    }
}
