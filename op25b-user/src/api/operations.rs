//! What was done to the filter, as the control socket lists it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Operation;

/// Operations, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationList {
    /// The operations.
    pub items: Vec<Operation>,
    /// Whether older ones match, too.
    pub more: bool,
}
