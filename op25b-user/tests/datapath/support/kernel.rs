//! Reads from the kernel what aya has no call for.

use std::{
    collections::BTreeSet,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya::{
    maps::{MapData, MapInfo, MapType},
    programs::ProgramInfo,
};
use op25b::{datapath::Filter, policy::Role};
use op25b_testlab::bpf;

// Commands of bpf(2), `enum bpf_cmd` in `linux/bpf.h`.
const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_PROG_TEST_RUN: libc::c_int = 10;

/// `BPF_PROG_TEST_RUN` in `union bpf_attr`, up to `ctx_out`.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    fd: u32,
    action: u32,
    length_in: u32,
    length_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_length_in: u32,
    context_length_out: u32,
    context_in: u64,
    context_out: u64,
}

/// `BPF_MAP_CREATE` in `union bpf_attr`, up to `map_flags`.
#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

/// `struct xdp_md`.
#[repr(C)]
#[derive(Default)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// Creates a map, of any version's shape.
pub fn create_map(kind: MapType, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> MapData {
    let mut attribute = MapCreate {
        kind: kind as u32,
        key_size,
        value_size,
        max_entries,
        flags,
    };
    let fd = bpf::call(BPF_MAP_CREATE, &mut attribute).unwrap();
    // SAFETY: the kernel has just opened it for this process, and nothing else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd.try_into().unwrap()) };
    MapData::from_fd(fd).unwrap()
}

/// The map of this name that a filter's program refers to.
pub fn map(filter: &mut Filter, name: &str) -> MapData {
    let program = filter.program_info(Role::Subscriber).unwrap();
    let ids = program.map_ids().unwrap().unwrap();
    let is_it = |id: &u32| MapInfo::from_id(*id).unwrap().name_as_str() == Some(name);
    let id = ids.into_iter().find(is_it).unwrap();
    MapData::from_id(id).unwrap()
}

/// The instructions of the loaded program that may be run.
pub fn instructions_used(program: &ProgramInfo) -> Vec<[u8; 8]> {
    let fd = program.fd().unwrap();
    let all = bpf::translated(fd.as_fd()).unwrap();
    bpf::reached(&all).into_iter().map(|index| all[index]).collect()
}

/// The names of the maps that an instruction of the loaded program refers to. Those that `map_ids` lists are more:
/// all that its code named before the verifier removed what is never reached.
pub fn maps_used(program: &ProgramInfo) -> BTreeSet<String> {
    // A map's address is loaded by one double instruction: its source register marks a map (1) or a
    // map's value (2), and the kernel shows the map's id as its number.
    const LOAD_64_BITS: u8 = 0x18;
    instructions_used(program)
        .iter()
        .filter(|[code, registers, ..]| *code == LOAD_64_BITS && matches!(registers >> 4, 1 | 2))
        .map(|[_, _, _, _, id @ ..]| {
            let map = MapInfo::from_id(u32::from_ne_bytes(*id)).unwrap();
            map.name_as_str().unwrap().to_owned()
        })
        .collect()
}

/// Runs the program on `frame` as if it came in on the interface of this index, which must exist: the XDP action.
pub fn run_on(program: &ProgramInfo, frame: &[u8], interface: u32) -> u32 {
    let fd = program.fd().unwrap();
    let length = frame.len().try_into().unwrap();
    let context = Context {
        data_end: length,
        ingress_ifindex: interface,
        ..Context::default()
    };
    let mut attribute = TestRun {
        fd: fd.as_fd().as_raw_fd().try_into().unwrap(),
        length_in: length,
        data_in: frame.as_ptr() as u64,
        repeat: 1,
        context_length_in: size_of::<Context>().try_into().unwrap(),
        context_in: &raw const context as u64,
        ..TestRun::default()
    };
    bpf::call(BPF_PROG_TEST_RUN, &mut attribute).unwrap();
    attribute.action
}

/// Runs the program on `frame`: the XDP action, and the frame as the program left it.
pub fn run(program: &ProgramInfo, frame: &[u8]) -> (u32, Vec<u8>) {
    let fd = program.fd().unwrap();
    // Longer, to see a frame that grew.
    let mut out = vec![0; frame.len() + 256];
    let mut attribute = TestRun {
        fd: fd.as_fd().as_raw_fd().try_into().unwrap(),
        length_in: frame.len().try_into().unwrap(),
        length_out: out.len().try_into().unwrap(),
        data_in: frame.as_ptr() as u64,
        data_out: out.as_mut_ptr() as u64,
        repeat: 1,
        ..TestRun::default()
    };
    bpf::call(BPF_PROG_TEST_RUN, &mut attribute).unwrap();
    out.truncate(attribute.length_out as usize);
    (attribute.action, out)
}
