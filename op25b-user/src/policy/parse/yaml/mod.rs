//! Reads YAML as nodes with their spans, one list item at a time.

mod items;
mod node;
mod read;

pub(crate) use self::{
    items::{Items, Reading},
    node::{Located, Node},
    read::read,
};
