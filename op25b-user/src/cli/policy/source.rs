//! The policy that a command is about, with the exemptions that apply to it: that which is enforced here, or a file's.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::{
    api::{Problem, ProblemKind},
    cli::{
        daemon::{Response, ask},
        exempt::Offline,
        paths::Paths,
        policy_file,
    },
    daemon::client::Listing,
    policy::{self, Policy, characters::printable, exemption_id},
    report::activity::Exempt,
    store::State,
};

/// A policy, and the exemptions that apply to it.
pub(in crate::cli) struct Source {
    pub(in crate::cli) file: PathBuf,
    pub(in crate::cli) policy: Policy,
    pub(in crate::cli) exemptions: Vec<Exempt>,
}

/// Why a command has nothing to do without a policy.
pub(in crate::cli) fn no_policy() -> Problem {
    let why = "no filter is running here; `--policy FILE` reads a policy file";
    Problem::new(ProblemKind::NotRunning, why)
}

impl Source {
    /// A policy file with its exemptions alone, if one is given; otherwise the policy that is enforced here, with the exemptions
    /// of its file and of the store. `None` if no filter runs.
    pub(in crate::cli) fn read(file: Option<&Path>, paths: &Paths) -> anyhow::Result<Option<Self>> {
        match file {
            Some(path) => Ok(Some(Self::of_file(policy_file::read_and_print(path)?))),
            None => enforced(paths),
        }
    }

    fn of_file(file: policy::File) -> Self {
        let policy = file.policy;
        let exemptions = policy.exemptions.iter().enumerate();
        Self {
            exemptions: exemptions
                .map(|(index, exemption)| Exempt {
                    id: exemption_id(&policy.lists, &policy.exemptions, index),
                    terms: exemption.terms.clone(),
                })
                .collect(),
            file: file.path,
            policy,
        }
    }

    /// The indices of the pools with these names; of all pools without names.
    pub(in crate::cli) fn chosen(&self, names: &[String]) -> Result<Vec<usize>, String> {
        let pools = &self.policy.pools;
        if names.is_empty() {
            return Ok((0..pools.len()).collect());
        }
        let index = |name: &String| {
            pools.iter().position(|pool| pool.name == *name).ok_or_else(|| {
                let names: Vec<_> = pools.iter().map(|pool| &*pool.name).collect();
                format!(
                    "there is no pool {}; the pools are {}",
                    printable(name),
                    printable(&names.join(", "))
                )
            })
        };
        let mut chosen: Vec<_> = names.iter().map(index).collect::<Result<_, _>>()?;
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// The policy that is enforced here, with the exemptions of its file and of the store; `None` if no filter runs.
fn enforced(paths: &Paths) -> anyhow::Result<Option<Source>> {
    let listing = Listing::default();
    let asked = ask(paths, async |client| {
        let report = client.status().await?;
        Ok((report, client.list(&listing).await?))
    })?;
    let (policy, exemptions, file) = match asked {
        Response::Done((report, exemptions)) => {
            let (path, sha256) = (report.policy_file.unwrap_or_default(), report.policy_sha256);
            let file = read_as_loaded(&path, &sha256.unwrap_or_default())?;
            (file.policy, exemptions, file.path)
        }
        Response::Refused(problem) => return Err((*problem).into()),
        Response::NoDaemon => {
            let offline = Offline::open(paths)?;
            let Some((policy, file)) = offline.policy_file() else {
                // Without the policy there are no pools: what was left out is why there is nothing to print.
                ensure!(offline.left_out.is_empty(), "{}", offline.left_out.join("; "));
                return Ok(None);
            };
            let (policy, file) = (Policy::clone(policy), file.to_owned());
            offline.say_so();
            (policy, offline.list(&listing)?, file)
        }
    };
    let active = exemptions
        .into_iter()
        .filter(|exemption| exemption.state == State::Active);
    Ok(Some(Source {
        exemptions: active
            .map(|exemption| Exempt {
                id: exemption.id,
                terms: exemption.terms,
            })
            .collect(),
        file,
        policy,
    }))
}

/// The policy file, if it is still the one that was loaded.
fn read_as_loaded(path: &Path, sha256: &str) -> anyhow::Result<policy::File> {
    let file = policy_file::read(path)?;
    ensure!(
        file.sha256 == sha256,
        "{path} has been changed since it was loaded: `op25b reload` enforces it, or read the file as it is now with \
         `--policy {path}`",
        path = path.display()
    );
    Ok(file)
}
