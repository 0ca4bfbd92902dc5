//! What of a filter is still there when a daemon has ended, or was not there.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    datapath::{
        discover::{self, FoundFilter},
        pinned_elsewhere, pinned_programs,
    },
    policy::Pause,
    report::pause_end,
};

/// A filter that is pinned, or that there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    /// None runs.
    Nothing,
    /// One runs, here or in another network namespace.
    Enforces {
        interfaces: Vec<String>,
        namespace: Option<String>,
        pauses: Vec<Pause>,
    },
    /// It cannot be determined.
    Unknown(String),
}

impl Remaining {
    /// Looks for the filter that is pinned in a directory.
    pub(super) fn at(bpffs: &Path) -> Self {
        Self::find(bpffs).unwrap_or_else(|error| Self::Unknown(format!("{error:#}")))
    }

    fn find(bpffs: &Path) -> anyhow::Result<Self> {
        if let Some(elsewhere) = pinned_elsewhere(bpffs)? {
            return Ok(Self::Enforces {
                interfaces: elsewhere.interfaces,
                namespace: Some(elsewhere.namespace),
                pauses: Vec::new(),
            });
        }
        let pinned = pinned_programs(bpffs)?;
        if pinned.is_empty() {
            return Ok(Self::Nothing);
        }
        let found = discover::find()?;
        let now = Timestamp::now();
        let of = |filter: &FoundFilter| {
            let pauses = filter.description.pauses.in_force(now).cloned().collect();
            (filter.interfaces.clone(), pauses)
        };
        let readable = found.filters.iter().map(of);
        let others = found
            .unreadable
            .into_iter()
            .map(|filter| (filter.interfaces, Vec::new()));
        let (mut interfaces, mut pauses) = (Vec::new(), Vec::new());
        for (found, paused) in readable.chain(others) {
            if found
                .iter()
                .any(|interface| pinned.contains(&interface.program_id))
            {
                interfaces.extend(found.into_iter().map(|interface| interface.name));
                pauses.extend(paused);
            }
        }
        interfaces.sort();
        Ok(if interfaces.is_empty() {
            Self::Nothing
        } else {
            Self::Enforces {
                interfaces,
                namespace: None,
                pauses,
            }
        })
    }

    /// The lines for people.
    pub(super) fn lines(&self, bpffs: &Path, time_zone: &TimeZone) -> Vec<String> {
        match self {
            Self::Nothing => vec![format!(
                "no filter of {} runs: nothing is blocked",
                bpffs.display()
            )],
            Self::Enforces {
                interfaces,
                namespace,
                pauses,
            } => {
                let place = namespace.as_ref().map_or_else(String::new, |namespace| {
                    format!(" in the network namespace {namespace}")
                });
                let filter = format!(
                    "the filter STILL ENFORCES on {}{place}; `op25b stop --detach` removes it",
                    interfaces.join(", ")
                );
                let paused = pauses.iter().map(|pause| {
                    format!(
                        "  but {} is PAUSED {}{}",
                        pause.what(),
                        pause_end(pause, time_zone),
                        match pause.until {
                            Some(_) => ", and is enforced again then",
                            None => "; `op25b resume` ends it once a daemon runs",
                        }
                    )
                });
                std::iter::once(filter).chain(paused).collect()
            }
            Self::Unknown(why) => vec![format!(
                "it cannot be determined whether a filter still enforces ({why}); `op25b stop --detach` removes it"
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(remaining: &Remaining) -> Vec<String> {
        remaining.lines(Path::new("/sys/fs/bpf/op25b"), &TimeZone::UTC)
    }

    #[test]
    fn a_filter_that_goes_on_is_named_with_what_removes_it() {
        let enforces = Remaining::Enforces {
            interfaces: vec!["eth1".to_owned(), "eth2".to_owned()],
            namespace: None,
            pauses: vec![Pause {
                pool: None,
                except: Vec::new(),
                at: "2026-11-28T18:00:00Z".parse().unwrap(),
                until: "2026-11-28T18:30:00Z".parse().ok(),
                uid: 0,
                user: "root".to_owned(),
                reason: "a test".to_owned(),
            }],
        };
        assert_eq!(
            lines(&enforces),
            [
                "the filter STILL ENFORCES on eth1, eth2; `op25b stop --detach` removes it",
                "  but everything is PAUSED until 2026-11-28 18:30:00 +00:00, and is enforced again then",
            ]
        );
        let Remaining::Enforces { mut pauses, .. } = enforces else {
            unreachable!()
        };
        pauses[0].until = None;
        let endless = Remaining::Enforces {
            interfaces: vec!["eth1".to_owned()],
            namespace: None,
            pauses,
        };
        assert_eq!(
            lines(&endless)[1],
            "  but everything is PAUSED until it is resumed, since 2026-11-28 18:00:00 +00:00; `op25b resume` ends it once a daemon \
             runs"
        );
        let elsewhere = Remaining::Enforces {
            interfaces: vec!["eth1".to_owned()],
            namespace: Some("net:[4026532000]".to_owned()),
            pauses: Vec::new(),
        };
        assert_eq!(
            lines(&elsewhere),
            [
                "the filter STILL ENFORCES on eth1 in the network namespace net:[4026532000]; `op25b stop --detach` removes \
                 it"
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(
            lines(&Remaining::Nothing),
            ["no filter of /sys/fs/bpf/op25b runs: nothing is blocked"]
        );
        let unknown = lines(&Remaining::Unknown("operation not permitted".to_owned()));
        assert!(unknown[0].starts_with("it cannot be determined") && !unknown[0].contains("STILL"));
    }
}
