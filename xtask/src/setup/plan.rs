//! Plans the steps of a set-up from facts about the machine, without performing any.

use op25b_host::toolchain::{self, LINKED, LINKER, Missing};

use super::facts::{Facts, llvm_prefix};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub what: String,
    /// What for.
    pub why: String,
    /// About how long it takes, where that is more than a moment.
    pub takes: &'static str,
    /// How it is done.
    pub action: Action,
}

/// How a step is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `apt-get update`.
    RefreshLists,
    /// `apt-get install`.
    Install(Vec<String>),
    /// Any other command, by its words, with variables for it.
    Run {
        /// Variables.
        env: Vec<(&'static str, String)>,
        /// Words.
        words: Vec<String>,
    },
    /// Fetch and unpack the tests' servers.
    Unpack,
    /// Only a person can: what to type or to do, a line each.
    ByHand(Vec<String>),
}

impl Action {
    /// Whether it takes root.
    #[must_use]
    pub fn needs_root(&self) -> bool {
        matches!(self, Self::RefreshLists | Self::Install(_))
    }

    fn run(words: &[&str]) -> Self {
        Self::Run {
            env: Vec::new(),
            words: words.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Everything to do on a machine, in order. `fresh`: the package lists were refreshed just now.
#[must_use]
pub fn plan(facts: &Facts, fresh: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    compiler(facts, &mut steps);
    linker(facts, &mut steps);
    lab(facts, &mut steps);
    tests(facts, &mut steps);
    refresh(facts, fresh, steps)
}

/// Refreshing comes before anything that reads the package lists, and may change all of it.
///
/// A step that only a person can do is one of these too: stale lists may hide the package that makes it unnecessary. A
/// toolchain that the user asked for by name is looked up in no list.
fn refresh(facts: &Facts, fresh: bool, mut steps: Vec<Step>) -> Vec<Step> {
    let Some(apt) = &facts.apt else { return steps };
    let asks_lists = |step: &Step| match step.action {
        Action::Install(_) | Action::Unpack => true,
        Action::ByHand(_) => facts.asked_for.is_none(),
        Action::RefreshLists | Action::Run { .. } => false,
    };
    let blind = !apt.has_lists && !steps.is_empty();
    if !fresh && (blind || steps.iter().any(asks_lists)) {
        let step = Step {
            what: "refresh the package lists".into(),
            why: if blind {
                "without them nothing can be looked up: the rest is planned after it"
            } else {
                "stale ones lead nowhere"
            }
            .into(),
            takes: "10 s",
            action: Action::RefreshLists,
        };
        if blind {
            return vec![step];
        }
        steps.insert(0, step);
    }
    steps
}

fn compiler(facts: &Facts, steps: &mut Vec<Step>) {
    let Err(missing) = &facts.compiler else { return };
    let by_hand = |why: String, lines: &[&str]| Step {
        what: "get a Rust compiler that builds for BPF".into(),
        why,
        takes: "",
        action: Action::ByHand(lines.iter().map(ToString::to_string).collect()),
    };
    if let Some(name) = &facts.asked_for {
        let line = format!(
            "unset {}, or set it to a toolchain with rust-src (now: {name})",
            toolchain::OVERRIDE
        );
        steps.push(by_hand(reason(missing), &[&line]));
        return;
    }
    match facts
        .apt
        .as_ref()
        .and_then(|apt| Some((apt, apt.compiler.as_ref()?)))
    {
        Some((apt, packages)) => {
            if !apt.compiler_installed {
                steps.push(Step {
                    what: format!("install {} (Rust {})", packages.names.join(", "), packages.rust),
                    why: format!(
                        "a compiler with rust-src for the XDP program ({})",
                        reason(missing)
                    ),
                    takes: "30 s",
                    action: Action::Install(packages.names.clone()),
                });
            }
            if facts.rustup {
                steps.push(Step {
                    what: format!("link /usr into rustup as the toolchain {LINKED}"),
                    why: "rustup runs only compilers that it knows; your default stays as it is".into(),
                    takes: "",
                    action: Action::run(&["rustup", "toolchain", "link", LINKED, "/usr"]),
                });
            }
        }
        None if facts.rustup => steps.push(by_hand(
            reason(missing),
            &["rustup toolchain install nightly --profile minimal --component rust-src"],
        )),
        None => steps.push(by_hand(
            reason(missing),
            &[
                "install rustup (https://rustup.rs), then",
                "rustup toolchain install nightly --profile minimal --component rust-src",
            ],
        )),
    }
}

/// Why there is no compiler, without the remedy: this is the remedy.
fn reason(missing: &Missing) -> String {
    match missing {
        Missing::Compiler(reasons) => reasons.join("; "),
        other => other.to_string(),
    }
}

fn linker(facts: &Facts, steps: &mut Vec<Step>) {
    let why = match &facts.linker {
        Some(Ok(_)) => return,
        Some(Err(Missing::OldLinker { has, needs, .. })) => {
            format!(
                "the one that is here has LLVM {}, the compiler has {}",
                has.major, needs.major
            )
        }
        Some(Err(Missing::BrokenLinker(_))) => "the one that is here does not run".into(),
        Some(Err(_)) | None => "turns the compiler's output into a BPF object".into(),
    };
    let buildable = facts
        .llvm()
        .filter(|_| facts.llvm_installed || facts.apt.as_ref().is_some_and(|apt| !apt.llvm_dev.is_empty()));
    let Some(llvm) = buildable else {
        let llvm = facts
            .llvm()
            .map_or_else(|| "the compiler's LLVM".into(), |llvm| format!("LLVM {llvm}"));
        let lines = vec![
            format!("cargo binstall {LINKER}"),
            format!("(or build it against {llvm}: https://github.com/aya-rs/bpf-linker#installation)"),
        ];
        steps.push(Step {
            what: format!("get {LINKER}"),
            why,
            takes: "",
            action: Action::ByHand(lines),
        });
        return;
    };
    if !facts.llvm_installed
        && let Some(apt) = &facts.apt
    {
        steps.push(Step {
            what: format!("install {}", apt.llvm_dev.join(", ")),
            why: format!("{LINKER} is built against the compiler's LLVM, which is {llvm}"),
            takes: "30 s",
            action: Action::Install(apt.llvm_dev.clone()),
        });
    }
    let mut words: Vec<String> = match &facts.compiler {
        // The newest compiler at hand: the linker has a lowest version of its own.
        Ok(toolchain) => std::iter::once(toolchain.command("cargo"))
            .flat_map(|command| {
                let words = std::iter::once(command.get_program()).chain(command.get_args());
                words
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect::<Vec<_>>()
            })
            .collect(),
        Err(_) if facts.rustup => ["rustup", "run", LINKED, "cargo"].map(String::from).to_vec(),
        Err(_) => vec!["cargo".into()],
    };
    let features = format!("llvm-{llvm}");
    words.extend(
        [
            "install",
            LINKER,
            "--force",
            "--no-default-features",
            "--features",
            &features,
        ]
        .map(String::from),
    );
    steps.push(Step {
        what: format!("build and install {LINKER} from crates.io, into cargo's bin directory"),
        why,
        takes: "1 min",
        action: Action::Run {
            env: vec![
                ("LLVM_PREFIX", llvm_prefix(llvm).display().to_string()),
                // LLVM does the work: what is compiled here need not be fast, nor carry debug information.
                ("CARGO_PROFILE_RELEASE_DEBUG", "false".into()),
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1".into()),
            ],
            words,
        },
    });
}

fn lab(facts: &Facts, steps: &mut Vec<Step>) {
    if facts.lab_missing.is_empty() {
        return;
    }
    let packages: Vec<_> = facts.lab_missing.iter().map(ToString::to_string).collect();
    steps.push(package_step(
        facts,
        packages,
        "the lab is made of network namespaces",
    ));
}

fn tests(facts: &Facts, steps: &mut Vec<Step>) {
    let missing = &facts.tests_missing;
    if !missing.components.is_empty() {
        let why = "the tests check format and lints".to_owned();
        let what = format!("get {}", missing.components.join(" and "));
        let action = if facts.rustup {
            Action::run(&[&["rustup", "component", "add"], missing.components.as_slice()].concat())
        } else {
            Action::ByHand(vec![format!(
                "install {} for your cargo",
                missing.components.join(" and ")
            )])
        };
        steps.push(Step {
            what,
            why,
            takes: "",
            action,
        });
    }
    if missing.bpf_clippy {
        bpf_clippy(facts, steps);
    }
    if missing.swaks {
        let packages = vec!["swaks".into(), "libio-socket-inet6-perl".into()];
        steps.push(package_step(facts, packages, "a mail client for the tests"));
    }
    for program in &missing.programs {
        steps.push(package_step(facts, vec![program.package.into()], program.why));
    }
    if !missing.unpacked.is_empty() {
        servers(facts, steps);
    }
}

fn bpf_clippy(facts: &Facts, steps: &mut Vec<Step>) {
    let why = "the tests lint the XDP program with its own compiler's clippy";
    let nightly = matches!(&facts.compiler, Ok(toolchain) if !toolchain.needs_bootstrap);
    match facts.apt.as_ref().and_then(|apt| apt.clippy) {
        _ if nightly && facts.rustup => steps.push(Step {
            what: "get nightly's clippy".into(),
            why: why.into(),
            takes: "",
            action: Action::run(&["rustup", "component", "add", "--toolchain", "nightly", "clippy"]),
        }),
        Some(package) => steps.push(package_step(facts, vec![package.into()], why)),
        None => steps.push(Step {
            what: "get clippy for the compiler that builds the XDP program".into(),
            why: why.into(),
            takes: "",
            action: Action::ByHand(vec!["rustup component add --toolchain nightly clippy".into()]),
        }),
    }
}

fn servers(facts: &Facts, steps: &mut Vec<Step>) {
    let why = "mail servers, a name server, Prometheus and collectors of events for the tests";
    let Some(apt) = &facts.apt else {
        steps.push(Step {
            what: "run the tests on a Debian-like system".into(),
            why: format!("{why} are taken from its packages (a container will do)"),
            takes: "",
            action: Action::ByHand(vec!["cargo xtask test, on Debian or Ubuntu".into()]),
        });
        return;
    };
    if !apt.libraries.is_empty() {
        steps.push(package_step(
            facts,
            apt.libraries.clone(),
            "libraries of the tests' servers",
        ));
    }
    steps.push(Step {
        what: format!(
            "unpack {} into the target directory, without installing it",
            facts.tests_missing.unpacked.join(", ")
        ),
        why: why.into(),
        takes: "",
        action: Action::Unpack,
    });
}

fn package_step(facts: &Facts, packages: Vec<String>, why: &str) -> Step {
    let names = packages.join(", ");
    let action = if facts.apt.is_some() {
        Action::Install(packages)
    } else {
        Action::ByHand(vec![format!("install {names} with your package manager")])
    };
    Step {
        what: format!("install {names}"),
        why: why.into(),
        takes: "10 s",
        action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::facts::{Apt, TestsMissing};

    /// A machine with rustup and package lists, in which no compiler is new enough.
    fn stale() -> Facts {
        Facts {
            root: true,
            rustup: true,
            asked_for: None,
            compiler: Err(Missing::Compiler(vec!["rustup's nightly has no rust-src".into()])),
            linker: None,
            apt: Some(Apt {
                has_lists: true,
                ..Apt::default()
            }),
            llvm_installed: false,
            lab_missing: Vec::new(),
            tests_missing: TestsMissing::default(),
        }
    }

    #[test]
    fn stale_package_lists_are_refreshed_before_anything_is_left_to_a_person() {
        let steps = plan(&stale(), false);
        assert_eq!(steps[0].action, Action::RefreshLists);
        let steps = plan(&stale(), true);
        assert!(matches!(steps[0].action, Action::ByHand(_)), "{steps:?}");
    }

    #[test]
    fn a_toolchain_that_is_asked_for_by_name_is_in_no_package_list() {
        let facts = Facts {
            asked_for: Some("mine".into()),
            linker: Some(Ok("/usr/bin/bpf-linker".into())),
            ..stale()
        };
        let steps = plan(&facts, false);
        assert!(matches!(steps[0].action, Action::ByHand(_)), "{steps:?}");
    }
}
