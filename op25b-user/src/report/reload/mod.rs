//! The outcome of a reload, and whether it waits for a confirmation: bodies of the responses of the control socket.

mod text;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::impact::Impact;
use crate::policy::Diff;

/// The answer to `POST /v1/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadAnswer {
    /// How it ended.
    #[serde(default)]
    pub result: ReloadResult,
    /// Whether it was a dry run: the policy was only checked.
    pub dry_run: bool,
    /// Why the policy was refused; none if it was not.
    pub refused: Option<String>,
    /// The policy that is enforced after this; null from a daemon of a version that does not report it.
    #[serde(default)]
    pub in_force: Option<PolicyInForce>,
    /// SHA-256 of the policy file and its lists as they were read; null if the file could not be read.
    #[serde(default)]
    pub file_sha256: Option<String>,
    /// Errors and warnings in the policy, for people.
    pub diagnostics: String,
    /// Further effects of the reload, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What changes, or would change in a dry run or if the policy had not been refused.
    pub changes: Option<Diff>,
    /// Who would become blocked or free, of a dry run.
    #[serde(default)]
    pub impact: Option<Impact>,
    /// The reload that waits for a confirmation after this: this one or, of a dry run or of one that was refused, the one before it. Null
    /// if none does.
    #[serde(default)]
    pub unconfirmed: Option<UnconfirmedReload>,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReloadResult {
    /// The policy of the file is enforced.
    Reloaded,
    /// The policy was refused, or would be in a dry run.
    #[default]
    Refused,
    /// A dry run found nothing for which the policy would be refused.
    WouldReload,
}

/// A policy that is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyInForce {
    /// The policy file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// SHA-256 of the policy.
    pub sha256: String,
    /// When it was loaded.
    #[schema(value_type = String, format = DateTime)]
    pub loaded_at: Timestamp,
}

/// A reload that is taken back unless it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnconfirmedReload {
    /// When the daemon goes back to the policy before it.
    #[schema(value_type = String, format = DateTime)]
    pub goes_back_at: Timestamp,
    /// When it was requested.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// Who requested it.
    pub by: String,
    /// SHA-256 of the policy that waits for the confirmation.
    pub sha256: String,
    /// SHA-256 of the policy to go back to.
    pub previous_sha256: String,
}

/// A reload that was not confirmed in time, and was taken back. The policy file still has what was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WentBack {
    /// When the policy before it was enforced again.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who had requested the reload.
    pub by: String,
    /// SHA-256 of the policy that was not confirmed.
    pub sha256: String,
}

/// The answer to `POST /v1/confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmed {
    /// The policy that is enforced from now on.
    pub in_force: PolicyInForce,
    /// The reload that was confirmed.
    pub reload: UnconfirmedReload,
    /// What an operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl ReloadAnswer {
    /// Derives the result from the other members: a daemon of an earlier version does not send it.
    pub fn conclude(&mut self) {
        self.result = match (&self.refused, self.dry_run) {
            (Some(_), _) => ReloadResult::Refused,
            (None, true) => ReloadResult::WouldReload,
            (None, false) => ReloadResult::Reloaded,
        };
    }
}
