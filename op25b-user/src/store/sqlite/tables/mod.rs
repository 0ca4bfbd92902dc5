//! The tables of the store: their schema, and the statements that read and write their rows.

pub(super) mod audit;
pub(super) mod history;
pub(super) mod operations;
pub(super) mod read;
pub(super) mod row;
pub(super) mod schema;
pub(super) mod write;
