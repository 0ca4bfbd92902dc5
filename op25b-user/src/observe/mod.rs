//! What filters in the kernel are doing, for people and for scripts.

mod status;

pub use status::{
    ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State, Status, StatusError, status,
};
