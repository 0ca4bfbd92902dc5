//! Replaces the generation that runs by the next one on all interfaces, or on none, and keeps it attached.

mod attach;
mod enforced;
mod error;
mod kinds;
mod native;
mod obstacles;
mod pins;
mod plan;
mod ports;
mod reconcile;
mod switch;
mod target;
mod transition;

pub use attach::{AttachError, Held};
pub use enforced::{Enforced, Left};
pub use error::ReplaceError;
pub use kinds::{KindError, Upper};
pub use obstacles::obstacles;
pub use plan::Skipped;
pub use reconcile::{Followed, LinkState, Released, Renamed};
pub use switch::{Prediction, Replacement};
pub use target::{Attachment, Need, Target};
