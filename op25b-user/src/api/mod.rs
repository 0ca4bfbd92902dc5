//! The API of the control socket: the bodies of requests and responses, as JSON.
//!
//! Adding a member to a response is compatible; changing or removing one is not.

mod changes;
mod duration;
mod exemption;
mod explain;
mod forget;
mod operations;
mod pause;
mod position;
mod problem;
mod reads;
mod sessions;
mod sort;

pub(crate) use self::sessions::shown_prefix;
pub use self::{
    changes::{
        Added, ExtendExemption, Extended, ImportExemptions, Imported, RemoveExemptions, Removed,
        RemovedExemptions, RestoreExemption, Restored,
    },
    duration::duration_text,
    exemption::{Exemption, HistoryEntry, HistoryExpiry, Origin, Page, Removal},
    explain::{Elsewhere, Explained, NotInForce, NotInForceState, Rule, RuleKind},
    forget::{ForgetCustomer, ForgetSubscribers, Forgotten},
    operations::OperationList,
    pause::{PauseAnswer, PauseRequest, ResumeRequest},
    position::FilePosition,
    problem::{Problem, ProblemKind, RowProblem},
    reads::{NewRead, ReadKind},
    sessions::{ImportedSessions, NewSession, ReportedSessions, SessionEvent, SessionEvents, SessionList},
    sort::{Direction, SortKey, sort_keys},
};
pub use crate::exemption::{ImportRow, NewExemption};
