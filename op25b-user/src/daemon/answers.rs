//! Answers of the control socket, made of the enforcer's outcomes.

use std::path::Path;

use jiff::Timestamp;

use crate::{
    api::{
        Added, Exemption, Explained, Extended, Imported, Problem, ProblemKind, Removed, RemovedExemptions,
        Restored, RowProblem,
    },
    enforcer::{self, Changed, Explanation, Refusal},
    report::explained,
};

/// The answer to an added exemption.
pub(super) fn added(changed: Changed, policy_file: &Path) -> Added {
    Added {
        exemption: Exemption::stored(changed.record, Timestamp::now()),
        verdict: verdict(changed.explanation, policy_file),
        warnings: changed.warnings,
    }
}

/// The answer to an extended exemption.
pub(super) fn extended(changed: Changed, policy_file: &Path) -> Extended {
    Extended {
        exemption: Exemption::stored(changed.record, Timestamp::now()),
        verdict: verdict(changed.explanation, policy_file),
        warnings: changed.warnings,
    }
}

/// The answer to a removed exemption.
pub(super) fn removed(changed: Changed, policy_file: &Path) -> Removed {
    Removed {
        exemption: Exemption::stored(changed.record, Timestamp::now()),
        verdict: verdict(changed.explanation, policy_file),
        warnings: changed.warnings,
    }
}

/// The answer to a removal of many exemptions.
pub(super) fn removed_many(many: enforcer::RemovedMany, policy_file: &Path) -> RemovedExemptions {
    let now = Timestamp::now();
    let exemptions = many.records.into_iter();
    RemovedExemptions {
        dry_run: many.dry_run,
        removed: many.count,
        exemptions: exemptions.map(|record| Exemption::stored(record, now)).collect(),
        verdict: verdict(many.explanation, policy_file),
    }
}

/// The answer to a restored exemption.
pub(super) fn restored(changed: Changed, policy_file: &Path) -> Restored {
    Restored {
        exemption: Exemption::stored(changed.record, Timestamp::now()),
        verdict: verdict(changed.explanation, policy_file),
        warnings: changed.warnings,
    }
}

/// The answer to an import.
pub(super) fn imported(imported: enforcer::Imported) -> Imported {
    Imported {
        dry_run: imported.dry_run,
        added: imported.added,
        batch: imported.batch.map(|batch| batch.to_string()),
        unchanged: imported.unchanged,
        lapsed: imported.lapsed,
        removed_before: imported.removed_before.count,
        removed_before_ids: imported
            .removed_before
            .first
            .iter()
            .map(ToString::to_string)
            .collect(),
        warnings: imported.warnings,
        new_generation: imported.new_generation,
    }
}

fn verdict(explanation: Option<Explanation>, policy_file: &Path) -> Option<Explained> {
    explanation.map(|explanation| explained(explanation, policy_file))
}

/// The problem that a refusal is reported as.
pub(super) fn problem(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    let kind = match refusal {
        Refusal::Invalid(_) | Refusal::Compile(_) => ProblemKind::Invalid,
        Refusal::Conflict(_) => ProblemKind::Conflict,
        Refusal::Unknown(_) => ProblemKind::NotFound,
        Refusal::InFile(_) => ProblemKind::ReadOnly,
        Refusal::KeyReused => ProblemKind::KeyReused,
        Refusal::Kernel(_) => ProblemKind::KernelRefused,
        Refusal::Broken(_) => ProblemKind::Internal,
        Refusal::Stalled(_) => ProblemKind::StoreUnavailable,
        Refusal::Unanswered(_) => ProblemKind::Timeout,
        Refusal::Stopping(_) => ProblemKind::Busy,
        Refusal::Rows { rows, .. } => {
            let rows = rows.into_iter().map(|row| RowProblem {
                line: row.line,
                detail: row.detail,
            });
            return Problem::invalid_rows(detail, rows.collect());
        }
        Refusal::Store(error) => {
            return Problem {
                detail,
                ..Problem::from(error)
            };
        }
    };
    Problem::new(kind, detail)
}
