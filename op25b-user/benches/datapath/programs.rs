//! The programs that op25b is measured with, and op25b's own, loaded.

use anyhow::{Context as _, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray},
    programs::Xdp,
};
use aya_obj::programs::XdpAttachType;
use op25b::{
    datapath::{Description, Filter, LoadOptions},
    policy::{self, Policy, Role},
};

/// What op25b-ebpf/src/bench compiles to.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));

/// One of those programs, loaded, with maps of its own.
pub fn load(name: &str, sizes: &[(&str, u32)]) -> anyhow::Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    for (map, size) in sizes {
        loader.map_max_entries(map, *size);
    }
    let mut ebpf = loader
        .load(OBJECT)
        .with_context(|| format!("cannot create the maps of {name}"))?;
    program(&mut ebpf, name)?
        .load()
        .with_context(|| format!("the kernel refused {name}"))?;
    Ok(ebpf)
}

/// It, to be attached or run.
pub fn program<'e>(ebpf: &'e mut Ebpf, name: &str) -> anyhow::Result<&'e mut Xdp> {
    let program = ebpf
        .program_mut(name)
        .with_context(|| format!("there is no program {name}"))?;
    Ok(program.try_into()?)
}

/// How many frames it has dropped.
pub fn dropped(ebpf: &Ebpf) -> anyhow::Result<u64> {
    let map = ebpf.map("DROPPED").context("there is no map DROPPED")?;
    let counts = PerCpuArray::<&MapData, u64>::try_from(map)?;
    Ok(counts.get(&0, 0)?.iter().sum())
}

/// Reads a policy, which has to be free of mistakes.
pub fn policy(text: &str) -> anyhow::Result<Policy> {
    match policy::parse("policy.yaml", text) {
        Ok(loaded) => Ok(loaded.policy),
        Err(report) => anyhow::bail!("the benchmark's policy is refused: {report}"),
    }
}

/// op25b with a policy, as `op25b run` loads it.
pub fn op25b(policy: &Policy) -> anyhow::Result<Filter> {
    let compiled = policy::compile(policy)?;
    let description = Description {
        relays: policy.relays.len(),
        exemptions: policy.exemptions.len(),
        ..Description::new("policy.yaml")
    };
    Ok(Filter::load(&compiled, &description, LoadOptions::default())?)
}

/// The program of op25b for subscriber interfaces, to be run by hand.
pub fn subscriber_program(filter: &mut Filter) -> anyhow::Result<Xdp> {
    let info = filter.program_info(Role::Subscriber)?;
    let name = info.name_as_str().context("the program has no name")?.to_owned();
    ensure!(!name.is_empty(), "the program has no name");
    Ok(Xdp::from_program_info(
        info,
        name.into(),
        XdpAttachType::Interface,
    )?)
}
