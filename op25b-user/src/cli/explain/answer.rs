//! What the enforced program does with a connection, in this network namespace: asked of the daemon that enforces here, or else
//! of the kernel.

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use caps::{CapSet, Capability};
use jiff::Timestamp;

use crate::{
    api::Explained,
    cli::{daemon::wait_for, directories::of_the_filter_here, elsewhere::elsewhere, paths::Paths, stderr},
    daemon::client::{Client, ClientError},
    datapath::{Interfaces, requirements},
    enforcer::{Connection, Disk, Offline, explain_offline},
    policy::Nat64,
    report::{InterfaceState, Status, exemptions::FileExemptions, explained},
    state_dir::in_time,
};

/// How long the disk of the store and the policy's files may take: a large policy takes seconds, and a disk may hang.
const DISK_TIME: Duration = Duration::from_secs(10);

/// The answer to a question about a connection.
pub(in crate::cli) struct Answered {
    /// The answer.
    pub(in crate::cli) explained: Explained,
    /// The policy file of the filter; none without a filter.
    pub(in crate::cli) policy_file: Option<PathBuf>,
    /// Whether the daemon asked the program. Otherwise this process did, and no daemon enforces here.
    pub(in crate::cli) by_daemon: bool,
}

/// What the enforced program does with a connection, and which exemptions of its source do not let it pass.
pub(in crate::cli) fn explain(connection: &Connection, paths: &Paths) -> anyhow::Result<Answered> {
    let paths = of_the_filter_here(paths)?;
    match of_daemon(connection, &paths)? {
        Some(answered) => Ok(answered),
        None => of_kernel(connection, &paths),
    }
}

/// The answer of the daemon; none if there is none, none that this user may use, or none that enforces at the place.
fn of_daemon(connection: &Connection, paths: &Paths) -> anyhow::Result<Option<Answered>> {
    let client = Client::new(&paths.runtime_dir);
    let response = wait_for(async {
        let report = client.status().await?;
        let is_here = Interfaces::list().is_ok_and(|interfaces| is_here(&report, &interfaces, connection));
        if !is_here {
            return Ok(None);
        }
        let explained = client.explain(connection).await?;
        Ok(Some((explained, report.policy_file)))
    })?;
    match response {
        Ok(answer) => Ok(answer.map(|(explained, policy_file)| Answered {
            explained,
            policy_file,
            by_daemon: true,
        })),
        Err(error) if error.is_forbidden() && !may_load_programs() => Err(error.into()),
        // A user without access to the daemon may still have access to the kernel.
        Err(error) if cannot_explain(&error) => Ok(None),
        Err(ClientError::Refused(problem)) => bail!("{}", problem.detail),
        Err(error) => Err(error.into()),
    }
}

/// Whether this process may run programs in the kernel itself.
fn may_load_programs() -> bool {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    has(Capability::CAP_SYS_ADMIN) || has(Capability::CAP_BPF)
}

/// Whether there is no daemon that can explain: one of an earlier version may lack the route.
fn cannot_explain(error: &ClientError) -> bool {
    error.is_absence() || error.is_forbidden() || matches!(error, ClientError::Unexpected { status: 404, .. })
}

/// Whether the programs of a daemon run on interfaces of this network namespace, and no other program at the place that is
/// asked about.
fn is_here(report: &Status, interfaces: &Interfaces, connection: &Connection) -> bool {
    let enforced = report
        .interfaces
        .iter()
        .filter(|interface| interface.state == InterfaceState::Enforced);
    let programs: Vec<u32> = enforced.filter_map(|interface| interface.program_id).collect();
    let mut running = interfaces.iter().flat_map(|interface| &interface.xdp);
    let is_of_it = |program: u32| programs.contains(&program);
    if !running.any(|xdp| is_of_it(xdp.program_id)) {
        return false;
    }
    let asked = connection.interface.as_deref();
    let asked = asked.and_then(|name| interfaces.named(name));
    asked.is_none_or(|interface| interface.xdp.iter().all(|xdp| is_of_it(xdp.program_id)))
}

/// The answer of the program in the kernel, asked by this process, with what files say as long as their disk answers.
fn of_kernel(connection: &Connection, paths: &Paths) -> anyhow::Result<Answered> {
    let (asked, at) = (connection.clone(), paths.clone());
    let read = move |disk| read_kernel(&asked, &at, disk);
    unless_disk_hangs(DISK_TIME, read, |why| {
        stderr::line(format_args!(
            "op25b: {why}: exemptions of the store and the lines of the policy file are not named"
        ));
    })
}

/// What `read` returns or, if the disk does not answer in time, what it returns without it, after `tell` has been told why.
fn unless_disk_hangs<T: Send + 'static>(
    time: Duration,
    read: impl Fn(Disk) -> T + Clone + Send + 'static,
    tell: impl FnOnce(&anyhow::Error),
) -> T {
    let with_disk = read.clone();
    in_time(time, || (), move || with_disk(Disk::Read)).unwrap_or_else(|why| {
        tell(&why);
        read(Disk::Hangs)
    })
}

fn read_kernel(connection: &Connection, paths: &Paths, disk: Disk) -> anyhow::Result<Answered> {
    let interfaces = Interfaces::list()?;
    if interfaces.iter().any(|interface| !interface.xdp.is_empty()) {
        requirements::check()?;
    }
    let offline = explain_offline(connection, &paths.state_dir, disk)?;
    let Offline {
        explanation,
        policy_file,
        policy,
        store,
        store_error,
    } = offline;
    if let (Some(file), None, Disk::Read) = (&policy_file, &policy, disk) {
        stderr::line(format_args!(
            "op25b: {} has changed since it was loaded: names and exemptions of the policy that is enforced are not all known",
            file.display()
        ));
    }
    if policy_file.is_none()
        && let Some(elsewhere) = elsewhere(&paths.bpffs)
    {
        stderr::line(format_args!("op25b: {elsewhere}"));
    }
    let file = policy_file.clone().unwrap_or_default();
    let mut explained = explained(explanation, &file);
    let exemptions = FileExemptions {
        file: &file,
        lists: policy.as_ref().map_or(&[], |policy| &policy.lists),
        exemptions: policy.as_ref().map_or(&[], |policy| &policy.exemptions),
    };
    let nat64 = policy
        .as_ref()
        .map_or_else(Nat64::default, |policy| policy.nat64.clone());
    let found = explained.add_not_in_force(exemptions, &*store, &nat64, Timestamp::now());
    explained.store_error = store_error.or(found.err().map(|error| error.to_string()));
    Ok(Answered {
        explained,
        policy_file,
        by_daemon: false,
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_disk_that_hangs_is_not_waited_for_and_the_kernel_answers_without_it() {
        let mut told = None;
        let hangs = |disk| match disk {
            Disk::Read => loop {
                thread::park();
            },
            Disk::Hangs => 25,
        };
        let answer = unless_disk_hangs(Duration::from_millis(10), hangs, |why| {
            told = Some(why.to_string());
        });
        assert_eq!(answer, 25);
        assert!(told.is_some_and(|why| why.contains("has not answered within 10ms")));
        let answers = |disk| disk;
        let nobody = |_: &anyhow::Error| unreachable!();
        assert_eq!(
            unless_disk_hangs(Duration::from_mins(1), answers, nobody),
            Disk::Read
        );
    }
}
