//! Replaces the generation that runs by the next one on all interfaces, or on none.

mod attach;
mod plan;
mod reconcile;
mod switch;
mod transition;

pub use attach::{AttachError, Held};
pub(crate) use plan::Before;
pub use reconcile::LinkState;
pub use switch::{Attachment, Enforced, ReplaceError, Replacement, Target};
