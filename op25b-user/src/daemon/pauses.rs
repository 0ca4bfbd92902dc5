//! Pauses: what users ask for, checked against the policy, kept for a later start, enforced, recorded and logged.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tracing::{info, warn};

use super::state::Daemon;
use crate::{
    api::{PauseAnswer, PauseRequest, Problem, ProblemKind, ResumeRequest},
    enforcer::Enforcer,
    exemption,
    policy::{Pause, Pauses, Policy, PoolMode},
    report::{how_to_resume, paused},
    store::{Actor, Operation, OperationKind},
};

/// How long a pause waits for the disk of the state directory. It is a brake: no disk keeps it from being enforced.
const DISK_TIME: Duration = Duration::from_secs(2);
/// How long it waits once more, when it is in force, before it says that it is not kept.
const MORE_DISK_TIME: Duration = Duration::from_secs(3);

/// How pauses come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In the filter that runs, then with a generation of their own.
    LiveFirst,
    /// With a generation.
    Load,
}

impl Daemon {
    /// Monitors pools, or everything, until the end of a pause.
    pub(super) async fn pause(
        &mut self,
        enforcer: &mut Enforcer,
        request: &PauseRequest,
        by: Actor,
    ) -> Result<PauseAnswer, Problem> {
        let now = Timestamp::now();
        let reason = exemption::reason(&request.reason).map_err(Problem::from)?;
        let lasts = request.lasts.as_deref();
        let until = lasts.map(|lasts| end(lasts, now)).transpose()?;
        let mut warnings = checked(enforcer.policy(), &request.pools)?;
        let begun: Vec<Pause> = scopes(&request.pools)
            .map(|pool| Pause {
                pool,
                except: Vec::new(),
                at: now,
                until,
                uid: by.uid,
                user: by.name.clone(),
                reason: reason.clone(),
            })
            .collect();
        let mut pauses = in_force(enforcer, now);
        for pause in &begun {
            pauses.begin(pause.clone());
        }
        self.put_in_force(enforcer, pauses, Way::LiveFirst, &mut warnings)
            .await?;
        for pause in begun {
            info!(
                user = by.name,
                uid = by.uid,
                reason,
                until = until.map(display),
                "paused {}: what it would block passes, and is counted as monitored",
                pause.what()
            );
            self.operations.note(Operation {
                pool: pause.pool,
                reason: Some(reason.clone()),
                until,
                ..Operation::now(OperationKind::Pause, by.clone())
            });
        }
        Ok(PauseAnswer {
            pauses: enforcer.pauses().iter().cloned().collect(),
            ended: Vec::new(),
            warnings,
        })
    }

    /// Ends pauses of pools, or all of them.
    pub(super) async fn resume(
        &mut self,
        enforcer: &mut Enforcer,
        request: &ResumeRequest,
        by: Actor,
    ) -> Result<PauseAnswer, Problem> {
        let reason = request.reason.as_deref().map(exemption::reason);
        let reason = reason.transpose().map_err(Problem::from)?;
        checked(enforcer.policy(), &request.pools)?;
        let mut warnings = Vec::new();
        let before = in_force(enforcer, Timestamp::now());
        let (mut pauses, mut ended) = (before.clone(), Vec::new());
        for scope in scopes(&request.pools) {
            match &scope {
                None => ended.append(&mut pauses.retain(|_| false)),
                Some(pool) => match before.of_pool(pool) {
                    Some(pause) => {
                        pauses.end_pool(pool);
                        ended.push(Pause {
                            pool: scope,
                            except: Vec::new(),
                            ..pause.clone()
                        });
                    }
                    None => warnings.push(format!("pool {pool} is not paused")),
                },
            }
        }
        if !ended.is_empty() {
            self.put_in_force(enforcer, pauses, Way::Load, &mut warnings)
                .await?;
        }
        for pause in &ended {
            info!(
                user = by.name,
                uid = by.uid,
                reason,
                "resumed {}: it is enforced as the policy says",
                pause.what()
            );
            self.operations.note(Operation {
                pool: pause.pool.clone(),
                reason: reason.clone(),
                ..Operation::now(OperationKind::Resume, by.clone())
            });
        }
        Ok(PauseAnswer {
            pauses: enforcer.pauses().iter().cloned().collect(),
            ended,
            warnings,
        })
    }

    /// Loads the policy without the pauses that are over: the program has ended them already, by the clock.
    pub(super) async fn end_pauses(&mut self, enforcer: &mut Enforcer) {
        let over = enforcer.pauses_over();
        if over.is_empty() {
            return;
        }
        let mut pauses = enforcer.pauses().clone();
        pauses.retain(|pause| !over.contains(pause));
        let mut warnings = Vec::new();
        let ended = self.put_in_force(enforcer, pauses, Way::Load, &mut warnings);
        if let Err(problem) = ended.await {
            warn!(
                "pauses are over, and a clock that is set back would prolong them: {}",
                problem.detail
            );
            return;
        }
        for pause in over {
            info!(
                user = pause.user,
                uid = pause.uid,
                reason = pause.reason,
                until = pause.until.map(display),
                "the pause of {} is over: it is enforced as the policy says",
                pause.what()
            );
            self.operations.note(Operation {
                pool: pause.pool,
                reason: Some(pause.reason),
                ..Operation::now(OperationKind::Resume, Actor::op25b()).with_detail("the pause was over")
            });
        }
        self.publish(enforcer);
    }

    /// Logs the pauses that are in force, so that nobody takes a policy that was just loaded for one that blocks. Returns them in words.
    pub(super) fn warn_of_pauses(enforcer: &Enforcer) -> Vec<String> {
        let pauses = enforcer.pauses().in_force(Timestamp::now());
        let lines = pauses.map(|pause| {
            let line = format!(
                "PAUSED {}: what it would block passes; {}",
                paused(pause, &TimeZone::system()),
                how_to_resume(pause)
            );
            warn!("{line}");
            line
        });
        lines.collect()
    }

    /// Keeps pauses for a later start, and enforces them instead of those before.
    async fn put_in_force(
        &mut self,
        enforcer: &mut Enforcer,
        mut pauses: Pauses,
        way: Way,
        warnings: &mut Vec<String>,
    ) -> Result<(), Problem> {
        pauses.revision = enforcer.pauses().revision + 1;
        // First: neither a kernel that is lost with the power nor a daemon that ends before the generation is loaded loses the pause.
        self.keeper.keep_pauses(&pauses);
        self.keeper.settle_pauses(DISK_TIME).await;
        self.is_pausing = true;
        let result = match way {
            Way::LiveFirst => enforcer.brake(pauses, self).await,
            Way::Load => enforcer.set_pauses(pauses, self).await.map(|()| None),
        };
        self.is_pausing = false;
        self.keeper.keep_pauses(enforcer.pauses());
        let warning = result.map_err(|error| {
            Problem::new(
                ProblemKind::KernelRefused,
                format!("nothing was changed: {error:#}; `op25b stop --detach` removes the filter"),
            )
        })?;
        warnings.extend(warning);
        if !self.keeper.settle_pauses(MORE_DISK_TIME).await {
            warnings.push(format!(
                "{} does not take the pauses: they survive a restart of the daemon, and not one of the system",
                self.options.state_dir.display()
            ));
        }
        Ok(())
    }
}

/// The pauses that are in force.
fn in_force(enforcer: &Enforcer, now: Timestamp) -> Pauses {
    let mut pauses = enforcer.pauses().clone();
    pauses.retain(|pause| pause.is_in_force(now));
    pauses
}

/// What a request for pools concerns: each of them once or, without any, everything.
fn scopes(pools: &[String]) -> impl Iterator<Item = Option<String>> {
    let everything = pools.is_empty().then_some(None);
    let each = pools.iter().enumerate();
    let each = each.filter(|(index, pool)| !pools[..*index].contains(pool));
    everything
        .into_iter()
        .chain(each.map(|(_, pool)| Some(pool.clone())))
}

/// The end of a pause that begins now, in whole seconds: the program knows no others.
fn end(lasts: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let duration = PauseRequest::length(lasts, now);
    let duration = duration.map_err(|error| Problem::invalid(format!("for: {error}")))?;
    let end = Timestamp::from_second(now.as_second()).and_then(|now| now.checked_add(duration));
    end.map_err(|error| Problem::invalid(format!("for: {error}")))
}

/// Checks that the policy has the pools; warns of those that block nothing in any case.
fn checked(policy: &Policy, pools: &[String]) -> Result<Vec<String>, Problem> {
    let mut warnings = Vec::new();
    for name in pools {
        match policy.pools.iter().find(|pool| pool.name == *name) {
            Some(pool) if pool.mode == PoolMode::Monitor => warnings.push(format!(
                "pool {name} is only monitored in any case (`mode: monitor`)"
            )),
            Some(_) => {}
            None => {
                let names: Vec<_> = policy.pools.iter().map(|pool| pool.name.as_str()).collect();
                return Err(Problem::invalid(format!(
                    "the policy has no pool {name}; its pools are {}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pause_ends_in_a_whole_second_and_within_a_day() {
        let now = at("2026-11-29T03:00:00.9Z");
        assert_eq!(end("30m", now).unwrap(), at("2026-11-29T03:30:00Z"));
        assert_eq!(end("24h", now).unwrap(), at("2026-11-30T03:00:00Z"));
        let refused = end("25h", now).unwrap_err().detail;
        assert!(
            refused.contains("24 hours at most") && refused.contains("until it is resumed"),
            "{refused}"
        );
        for text in ["", "0m", "soon", "-5m", "2028-03-31"] {
            let refused = end(text, now).unwrap_err().detail;
            assert!(refused.starts_with("for: "), "{text}: {refused}");
        }
    }

    #[test]
    fn a_pool_that_is_named_twice_is_paused_once_and_none_is_everything() {
        let scopes = |pools: &[&str]| {
            let pools: Vec<String> = pools.iter().map(|pool| (*pool).to_owned()).collect();
            scopes(&pools).collect::<Vec<_>>()
        };
        assert_eq!(scopes(&[]), [None]);
        assert_eq!(
            scopes(&["a", "b", "a"]),
            [Some("a".to_owned()), Some("b".to_owned())]
        );
    }
}
