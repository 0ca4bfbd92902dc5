//! Runs a program that records its decisions on one frame, as if an interface had received it.

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::{TestRun as _, TestRunOptions},
};
use op25b_common::{
    Reason, Verdict,
    names::DECISION,
    values::{self, NO_RULE},
};

use crate::{
    datapath::{
        object::{LoadError, program, program_name},
        sys::bpf::map::MapError,
        test_run::{Decision, TestRunError},
    },
    policy::Role,
};

/// The most bytes that the program adds to a frame: the headers of an ICMP error, rounded up.
const MOST_GROWTH: usize = 64;

/// Runs the program for interfaces of this role on an Ethernet frame of at least 14 bytes (the kernel requires them). Returns
/// the decision and the frame as the program leaves it. Without an interface it arrives on one that no filter has an entry for
/// (Linux `LOOPBACK_IFINDEX`).
pub(in crate::datapath) fn run(
    ebpf: &mut Ebpf,
    role: Role,
    frame: &[u8],
    interface: Option<u32>,
) -> Result<(Decision, Vec<u8>), TestRunError> {
    forget(ebpf)?;
    let (action, output) = execute(ebpf, role, frame, interface)?;
    let decision = recorded(ebpf)?;
    let inconsistent = || TestRunError::Inconsistent { action, decision };
    let verdict = Verdict::from_u32(decision.verdict).ok_or_else(inconsistent)?;
    if action_of(verdict) != action {
        return Err(inconsistent());
    }
    let decision = Decision {
        verdict,
        reason: Reason::from_u32(decision.reason).ok_or_else(inconsistent)?,
        rule: (decision.rule != NO_RULE).then_some(decision.rule as usize),
    };
    Ok((decision, output))
}

/// Runs the program once. Returns the XDP action and the frame afterwards.
pub(in crate::datapath) fn execute(
    ebpf: &mut Ebpf,
    role: Role,
    frame: &[u8],
    interface: Option<u32>,
) -> Result<(u32, Vec<u8>), TestRunError> {
    let mut output = vec![0; frame.len() + MOST_GROWTH];
    let context = interface.map(|interface| context(frame, interface));
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut output),
        ctx_in: context.as_ref().map(<[u8; CONTEXT_SIZE]>::as_slice),
        ..TestRunOptions::default()
    };
    let result = program(ebpf, program_name(role))?.test_run(options)?;
    output.truncate(result.data_size_out as usize);
    Ok((result.return_value, output))
}

/// The size of `struct xdp_md` (`linux/bpf.h`).
const CONTEXT_SIZE: usize = 24;

/// A `struct xdp_md`: `data`, `data_end`, `data_meta`, `ingress_ifindex`, `rx_queue_index` and `egress_ifindex`.
fn context(frame: &[u8], interface: u32) -> [u8; CONTEXT_SIZE] {
    // No frame is as long as 4 GiB; the kernel refuses a length that is not the frame's.
    let length = u32::try_from(frame.len()).unwrap_or_default();
    let mut context = [0; CONTEXT_SIZE];
    let members = [0, length, 0, interface, 0, 0];
    for (member, value) in context.chunks_exact_mut(4).zip(members) {
        member.copy_from_slice(&value.to_ne_bytes());
    }
    context
}

/// Overwrites the last decision, so that what is read afterwards is this packet's decision or an invalid one.
fn forget(ebpf: &mut Ebpf) -> Result<(), TestRunError> {
    let nothing = values::Decision {
        reason: u32::MAX,
        verdict: u32::MAX,
        rule: u32::MAX,
    };
    let failed = MapError::write(DECISION);
    let map = ebpf
        .map_mut(DECISION)
        .ok_or(LoadError::Missing { name: DECISION })?;
    let array = Array::<&mut MapData, values::Decision>::try_from(map);
    Ok(array
        .and_then(|mut array| array.set(0, nothing, 0))
        .map_err(failed)?)
}

fn recorded(ebpf: &Ebpf) -> Result<values::Decision, TestRunError> {
    let failed = MapError::read(DECISION);
    let map = ebpf.map(DECISION).ok_or(LoadError::Missing { name: DECISION })?;
    let array = Array::<&MapData, values::Decision>::try_from(map);
    Ok(array.and_then(|array| array.get(&0, 0)).map_err(failed)?)
}

/// The XDP action (`linux/bpf.h`) of a verdict.
fn action_of(verdict: Verdict) -> u32 {
    const XDP_DROP: u32 = 1;
    const XDP_PASS: u32 = 2;
    const XDP_TX: u32 = 3;
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
        Verdict::Reject => XDP_TX,
    }
}
