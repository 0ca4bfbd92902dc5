//! Checks the privileges and the features of the kernel that the filter requires, before anything is touched.
//!
//! A feature is tried, and not inferred from the kernel's version: distributions bring features to older kernels, as Red Hat
//! does with all of BPF.

pub(crate) mod denial;

use std::{io, os::fd::AsFd as _};

use aya::{
    maps::MapType,
    programs::{ProgramError, ProgramType},
    sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported},
};
use aya_obj::generated::{BPF_F_MMAPABLE, BPF_F_NO_COMMON_LRU, BPF_F_XDP_HAS_FRAGS, bpf_map_type};
use caps::{CapSet, Capability};
use nix::sys::utsname::uname;
use thiserror::Error;

use self::denial::Denial;
use super::bpf;

/// Something that is missing, and what to do about it.
#[derive(Debug, Error)]
pub enum Missing {
    /// A privilege.
    #[error("{} {} missing: run op25b as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
        listed(.0), if .0.len() == 1 { "is" } else { "are" })]
    Capabilities(Vec<&'static str>),
    /// A feature of the kernel.
    #[error("this kernel ({release}) lacks {feature}, which Linux {} brought and the filter needs", .feature.since)]
    Feature {
        /// The running kernel.
        release: String,
        /// What it lacks.
        feature: Feature,
    },
    /// The BPF system call.
    #[error("this kernel has no bpf() system call: it needs CONFIG_BPF_SYSCALL")]
    Bpf,
    /// Something that the capabilities allow is denied.
    #[error("cannot use {feature}: {source}: {denial}")]
    Denied {
        /// What was tried.
        feature: Feature,
        /// What may deny it.
        denial: DenialText,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel failed in another way.
    #[error("cannot determine whether this kernel has {feature}: {source}")]
    Unknown {
        /// What was tried.
        feature: Feature,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Why something is denied, in words.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct DenialText(Denial);

/// A feature of the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// What it is.
    name: &'static str,
    /// The mainline version that brought it.
    since: &'static str,
    probe: Probe,
}

/// How to find out whether the kernel has a feature, without any effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Probe {
    /// A program of this type that returns at once is loaded.
    Program,
    /// The same with flags.
    ProgramFlags(u32),
    /// A program that calls a helper is loaded.
    Helper(BpfHelper),
    /// A map of this type is created.
    Map(MapType),
    /// The same with flags.
    MapFlags(bpf_map_type, u32),
    /// No link is detached by a descriptor that is none.
    Links,
}

/// What the filter needs of the kernel, the oldest first.
const NEEDED: [Feature; 14] = [
    feature(
        "XDP programs (CONFIG_BPF_SYSCALL, CONFIG_NET)",
        "4.8",
        Probe::Program,
    ),
    feature("BPF maps per CPU", "4.6", Probe::Map(MapType::PerCpuArray)),
    feature("BPF hash maps", "3.19", Probe::Map(MapType::Hash)),
    feature("BPF LPM tries", "4.11", Probe::Map(MapType::LpmTrie)),
    feature(
        "BPF LRU maps with a list for each CPU (BPF_F_NO_COMMON_LRU)",
        "4.10",
        Probe::MapFlags(bpf_map_type::BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU),
    ),
    feature(
        "BPF arrays that can be mapped into memory (BPF_F_MMAPABLE)",
        "5.5",
        Probe::MapFlags(bpf_map_type::BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE),
    ),
    feature(
        "the helper bpf_xdp_adjust_head",
        "4.10",
        Probe::Helper(BpfHelper::BPF_FUNC_xdp_adjust_head),
    ),
    feature(
        "the helper bpf_xdp_adjust_tail",
        "4.18",
        Probe::Helper(BpfHelper::BPF_FUNC_xdp_adjust_tail),
    ),
    feature(
        "the helper bpf_csum_diff for XDP programs",
        "4.16",
        Probe::Helper(BpfHelper::BPF_FUNC_csum_diff),
    ),
    feature(
        "the helper bpf_ktime_get_boot_ns",
        "5.8",
        Probe::Helper(BpfHelper::BPF_FUNC_ktime_get_boot_ns),
    ),
    feature("BPF links of XDP programs", "5.9", Probe::Links),
    feature(
        "the helper bpf_xdp_load_bytes",
        "5.18",
        Probe::Helper(BpfHelper::BPF_FUNC_xdp_load_bytes),
    ),
    feature(
        "the helper bpf_xdp_store_bytes",
        "5.18",
        Probe::Helper(BpfHelper::BPF_FUNC_xdp_store_bytes),
    ),
    feature(
        "multi-buffer XDP programs (BPF_F_XDP_HAS_FRAGS)",
        "5.18",
        Probe::ProgramFlags(BPF_F_XDP_HAS_FRAGS),
    ),
];

const fn feature(name: &'static str, since: &'static str, probe: Probe) -> Feature {
    Feature { name, since, probe }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Probe {
    /// Whether the kernel has the feature.
    fn is_supported(self) -> io::Result<bool> {
        match self {
            Self::Program => is_program_supported(ProgramType::Xdp).map_err(io_error),
            Self::ProgramFlags(flags) => is_accepted(bpf::load_trivial_xdp(flags)),
            Self::Helper(helper) => is_helper_supported(ProgramType::Xdp, helper).map_err(io_error),
            Self::Map(kind) => is_map_supported(kind).map_err(|error| error.io_error),
            Self::MapFlags(kind, flags) => is_accepted(bpf::create_trivial_map(kind, flags)),
            Self::Links => bpf::has_link_detach(),
        }
    }
}

/// Whether the kernel took what it refuses as invalid if it does not know it.
fn is_accepted<T>(result: io::Result<T>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::E2BIG)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn io_error(error: ProgramError) -> io::Error {
    match error {
        ProgramError::SyscallError(error) => error.io_error,
        error => io::Error::other(error),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// Checks what loading and attaching need. Reports the first thing that is missing.
pub fn check() -> Result<(), Missing> {
    all_missing().next().map_or(Ok(()), Err)
}

/// What loading and attaching lack. Without the privileges for it, no feature is tried.
pub fn all_missing() -> impl Iterator<Item = Missing> {
    let basis = (!bpf::is_available()).then_some(Missing::Bpf).or_else(|| {
        let capabilities = missing_capabilities();
        (!capabilities.is_empty()).then_some(Missing::Capabilities(capabilities))
    });
    let tried: &[Feature] = if basis.is_none() { &NEEDED } else { &[] };
    basis
        .into_iter()
        .chain(missing_features(tried, Probe::is_supported))
}

/// How many features of the kernel are needed.
pub(crate) const FEATURES: usize = NEEDED.len();

/// The running kernel, as `uname -r` shows it.
pub(crate) fn release() -> String {
    let name = uname();
    let release = name.map(|name| name.release().to_string_lossy().into_owned());
    release.unwrap_or_default()
}

/// Whether the kernel compiles programs to the machine's instructions.
pub(crate) fn has_compiler() -> io::Result<bool> {
    bpf::is_compiled(bpf::load_trivial_xdp(0)?.as_fd())
}

/// The features that the kernel lacks or denies.
fn missing_features(
    needed: &[Feature],
    is_supported: impl Fn(Probe) -> io::Result<bool>,
) -> impl Iterator<Item = Missing> {
    needed.iter().filter_map(move |feature| {
        let feature = *feature;
        match is_supported(feature.probe) {
            Ok(true) => None,
            Ok(false) => Some(Missing::Feature {
                release: release(),
                feature,
            }),
            Err(source) => Some(match denial::why(&source) {
                Some(denial) => Missing::Denied {
                    feature,
                    denial: DenialText(denial),
                    source,
                },
                None => Missing::Unknown { feature, source },
            }),
        }
    })
}

/// The capabilities that are needed and that this process does not have.
fn missing_capabilities() -> Vec<&'static str> {
    missing_of(|capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false))
}

fn missing_of(has: impl Fn(Capability) -> bool) -> Vec<&'static str> {
    // Linux lets CAP_SYS_ADMIN stand for CAP_BPF and CAP_PERFMON (`bpf_capable`, `perfmon_capable`).
    let admin = has(Capability::CAP_SYS_ADMIN);
    [
        (admin || has(Capability::CAP_BPF), "CAP_BPF"),
        (has(Capability::CAP_NET_ADMIN), "CAP_NET_ADMIN"),
        // Without it the verifier forbids the arithmetic on packet pointers that every parser needs.
        (admin || has(Capability::CAP_PERFMON), "CAP_PERFMON"),
    ]
    .into_iter()
    .filter_map(|(held, name)| (!held).then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_refused_by_the_feature_that_it_lacks_and_not_by_its_number() {
        let lacking = |lacks: fn(Probe) -> bool| {
            let missing: Vec<_> = missing_features(&NEEDED, |probe| Ok(!lacks(probe))).collect();
            missing
        };
        assert!(lacking(|_| false).is_empty());
        let frags = lacking(|probe| probe == Probe::ProgramFlags(BPF_F_XDP_HAS_FRAGS));
        let [error] = &frags[..] else {
            panic!("{frags:?}");
        };
        let release = release();
        assert_eq!(
            error.to_string(),
            format!(
                "this kernel ({release}) lacks multi-buffer XDP programs (BPF_F_XDP_HAS_FRAGS), which Linux 5.18 brought and the \
                 filter needs"
            )
        );
        let links = lacking(|probe| probe == Probe::Links);
        assert!(
            links[0]
                .to_string()
                .contains("BPF links of XDP programs, which Linux 5.9 brought")
        );
        assert_eq!(lacking(|_| true).len(), FEATURES);
    }

    #[test]
    fn an_error_of_a_probe_is_not_taken_for_a_missing_feature() {
        let no_memory = |_| Err(io::Error::from_raw_os_error(libc::ENOMEM));
        let error = missing_features(&NEEDED, no_memory).next().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("cannot determine whether this kernel has XDP programs"),
            "{error}"
        );
        assert!(is_accepted(Err::<(), _>(io::Error::from_raw_os_error(libc::EPERM))).is_err());
        assert!(!is_accepted(Err::<(), _>(io::Error::from_raw_os_error(libc::EINVAL))).unwrap());
    }

    /// Also that the probes tell what exists from what does not, where this process may load programs.
    #[test]
    fn the_probes_distinguish_what_this_kernel_has() {
        if !missing_capabilities().is_empty() {
            eprintln!("skipped: this process may not load programs");
            return;
        }
        check().unwrap();
        has_compiler().unwrap();
        for unknown in [
            Probe::ProgramFlags(1 << 30),
            Probe::MapFlags(bpf_map_type::BPF_MAP_TYPE_ARRAY, 1 << 30),
            // Of another type of programs.
            Probe::Helper(BpfHelper::BPF_FUNC_skb_load_bytes),
        ] {
            assert!(!unknown.is_supported().unwrap(), "{unknown:?}");
        }
    }

    #[test]
    fn the_missing_capabilities_are_named() {
        assert_eq!(missing_of(|_| true), [""; 0]);
        let missing = missing_of(|_| false);
        assert_eq!(missing, ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert!(
            Missing::Capabilities(missing)
                .to_string()
                .starts_with("CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are missing: run op25b as root")
        );
        let missing = missing_of(|capability| capability == Capability::CAP_BPF);
        assert_eq!(missing, ["CAP_NET_ADMIN", "CAP_PERFMON"]);
        let error = Missing::Capabilities(missing_of(|capability| capability == Capability::CAP_SYS_ADMIN));
        assert!(error.to_string().starts_with("CAP_NET_ADMIN is missing"));
    }
}
