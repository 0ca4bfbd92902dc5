//! The answer to who reads events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, EventCount};

/// Events, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// Those that match, the oldest first.
    pub events: Vec<Event>,
    /// The value of `after` for what follows.
    pub next: u64,
    /// How many events after that of `after` are not kept any more, whether or not they would match.
    pub missed: u64,
    /// What was shown and what not since the daemon was started, by reason; empty if the kernel cannot be read now.
    #[serde(default)]
    pub counts: Vec<EventCount>,
}
