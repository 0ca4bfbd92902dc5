//! One thing that was examined: how it is, and what to do about it.

use std::fmt;

use serde::{Serialize, Serializer};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Grade {
    /// As it should be.
    Ok,
    /// It could not be examined.
    Unknown,
    /// The filter runs, and something is worse than it could be, or will be at some time.
    Warn,
    /// The filter does not run, or not where or as the policy wants it, or does not see the packets.
    Fail,
}

impl Grade {
    /// All, the worst first.
    pub(crate) const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Unknown, Self::Ok];

    /// Its word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The capabilities of this process.
    Capabilities,
    /// The features of the kernel that the filter needs.
    Kernel,
    /// Whether the kernel compiles BPF programs.
    Jit,
    /// Whether the kernel describes its types.
    Btf,
    /// `SELinux`, `AppArmor`, seccomp, lockdown.
    Confinement,
    /// The BPF file system.
    Bpffs,
    /// Whether a program keeps the clock in step.
    Clock,
    /// The hardware clock.
    Rtc,
    /// The unit that starts op25b.
    Unit,
    /// When it starts.
    BootOrder,
    /// What it may do.
    Sandbox,
    /// The timer that writes metrics.
    Metrics,
    /// The services that send alerts about subscribers.
    Alerts,
    /// The services that forward events to collectors.
    Events,
    /// The policy file.
    Policy,
    /// The kernel memory that the policy takes.
    Memory,
    /// The file descriptors that it takes.
    Descriptors,
    /// Whether there is an interface, of a kind on which the filter belongs.
    Interface,
    /// Its link.
    Link,
    /// Another program on it.
    Program,
    /// Native mode there.
    Native,
    /// How the packets are spread over CPUs.
    Queues,
    /// Offloads that disagree with the filter.
    Offloads,
    /// What forwards packets without the CPU.
    Bypass,
    /// Whether sources are checked by their routes.
    ReversePath,
}

impl Check {
    /// All of them.
    pub(crate) const ALL: [Self; 25] = [
        Self::Capabilities,
        Self::Kernel,
        Self::Jit,
        Self::Btf,
        Self::Confinement,
        Self::Bpffs,
        Self::Clock,
        Self::Rtc,
        Self::Unit,
        Self::BootOrder,
        Self::Sandbox,
        Self::Metrics,
        Self::Alerts,
        Self::Events,
        Self::Policy,
        Self::Memory,
        Self::Descriptors,
        Self::Interface,
        Self::Link,
        Self::Program,
        Self::Native,
        Self::Queues,
        Self::Offloads,
        Self::Bypass,
        Self::ReversePath,
    ];

    /// Its name in output.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Kernel => "kernel",
            Self::Jit => "jit",
            Self::Btf => "btf",
            Self::Confinement => "confinement",
            Self::Bpffs => "bpffs",
            Self::Clock => "clock",
            Self::Rtc => "rtc",
            Self::Unit => "unit",
            Self::BootOrder => "boot-order",
            Self::Sandbox => "sandbox",
            Self::Metrics => "metrics",
            Self::Alerts => "alerts",
            Self::Events => "events",
            Self::Policy => "policy",
            Self::Memory => "memory",
            Self::Descriptors => "descriptors",
            Self::Interface => "interface",
            Self::Link => "link",
            Self::Program => "program",
            Self::Native => "native",
            Self::Queues => "queues",
            Self::Offloads => "offloads",
            Self::Bypass => "bypass",
            Self::ReversePath => "reverse-path",
        }
    }

    /// What it belongs to.
    pub(crate) const fn section(self) -> Section {
        match self {
            Self::Capabilities | Self::Kernel | Self::Jit | Self::Btf | Self::Confinement | Self::Bpffs => {
                Section::Machine
            }
            Self::Clock | Self::Rtc => Section::Time,
            Self::Unit | Self::BootOrder | Self::Sandbox | Self::Metrics | Self::Alerts | Self::Events => {
                Section::Service
            }
            Self::Policy | Self::Memory | Self::Descriptors => Section::Policy,
            Self::Interface
            | Self::Link
            | Self::Program
            | Self::Native
            | Self::Queues
            | Self::Offloads
            | Self::Bypass
            | Self::ReversePath => Section::Interface,
        }
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A part of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    /// The kernel and what it permits.
    Machine,
    /// The clock.
    Time,
    /// systemd.
    Service,
    /// What a policy needs.
    Policy,
    /// One of its interfaces.
    Interface,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "machine",
            Self::Time => "time",
            Self::Service => "service",
            Self::Policy => "policy",
            Self::Interface => "interface",
        })
    }
}

/// How one thing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// What it is about.
    pub(crate) check: Check,
    /// The policy's name of the interface, if it is about one.
    pub(crate) interface: Option<String>,
    /// How it is.
    pub(crate) result: Grade,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it; none if it is as it should be.
    pub(crate) remedy: Option<String>,
}

impl Line {
    /// As it should be.
    pub(crate) fn ok(check: Check, message: impl Into<String>) -> Self {
        Self::new(check, Grade::Ok, message, None)
    }

    /// It could not be examined.
    pub(crate) fn unknown(check: Check, message: impl Into<String>) -> Self {
        Self::new(check, Grade::Unknown, message, None)
    }

    /// It is worse than it could be.
    pub(crate) fn warn(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Grade::Warn, message, Some(remedy.into()))
    }

    /// It is in the way.
    pub(crate) fn fail(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Grade::Fail, message, Some(remedy.into()))
    }

    fn new(check: Check, result: Grade, message: impl Into<String>, remedy: Option<String>) -> Self {
        Self {
            check,
            interface: None,
            result,
            message: message.into(),
            remedy,
        }
    }

    /// The same about an interface.
    pub(crate) fn on(self, interface: &str) -> Self {
        Self {
            interface: Some(interface.to_owned()),
            ..self
        }
    }

    /// The same, as bad as this instead of a failure.
    pub(crate) fn graded(self, result: Grade) -> Self {
        Self { result, ..self }
    }

    /// The same, as bad as this at most.
    pub(crate) fn at_most(self, worst: Grade) -> Self {
        let result = self.result.min(worst);
        self.graded(result)
    }

    /// What was found and what to do, in one.
    pub(crate) fn text(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}: {remedy}", self.message),
            None => self.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_is_documented() {
        let names: BTreeSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
        let document = include_str!("../../../../docs/cli.md");
        for name in names {
            assert!(
                document.contains(&format!("\n| `{name}` |")),
                "docs/cli.md lacks {name}"
            );
        }
    }
}
