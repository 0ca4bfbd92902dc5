//! An interface that runs the filter in generic mode although native mode was tried first: it shows everywhere, and ends once
//! the driver takes the program.

use std::{
    fs,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use op25b_testlab::{ethtool, filter::Filter};
use serde_json::{Value, json};

use crate::support::scene::{SMALL, Scene, eventually};

/// The subscriber's port once more, with fewer receive queues than its peer has transmit queues: the driver refuses native
/// mode.
const FEW_QUEUES: [&str; 3] = [
    "link delete sub0",
    "link add sub0 numrxqueues 1 type veth peer name peer0 numtxqueues 2",
    "link set sub0 up",
];

const WARNING: &str =
    "the driver refused native mode: the filter runs in generic mode, which is several times slower";

/// Whether the kernel has a function or type of this name.
fn kernel_has(name: &str) -> bool {
    let types = fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let name = [name.as_bytes(), b"\0"].concat();
    types.windows(name.len()).any(|part| part == name)
}

/// Why, with what to do: in the words of the kernel where it has a tracepoint for them (Linux 6.6).
fn too_few_queues() -> String {
    let origin = "driver veth, No space left on device (os error 28)";
    let why = if kernel_has("btf_trace_bpf_xdp_link_attach_failed") {
        format!("\"veth: XDP expects number of rx queues not less than peer tx queues\" ({origin})")
    } else {
        format!("usually because of the number of queues ({origin}; the kernel log may name the cause)")
    };
    format!("{why}; `ethtool -l sub0` shows the queues, `ethtool -L sub0` sets them")
}

fn set_peer_queues(scene: &Scene, transmit: u32) {
    let set = move || ethtool::set_queues("peer0", 1, transmit);
    scene.router().run(set).unwrap();
}

/// What the daemon says about sub0.
fn report(scene: &Scene) -> Value {
    scene.daemon_report()["interfaces"][0].clone()
}

fn mode_metrics(scene: &Scene) -> Vec<String> {
    let answer = scene.op25b(&["metrics"]);
    let lines = answer.stdout.lines();
    lines
        .filter(|line| line.starts_with("op25b_interface_xdp_mode{interface=\"sub0\""))
        .map(str::to_owned)
        .collect()
}

fn warnings(filter: &Filter) -> usize {
    filter.log().matches(WARNING).count()
}

fn assert_generic(scene: &Scene) {
    assert!(scene.modes().contains(&("sub0".to_owned(), "generic")));
    let report = report(scene);
    assert_eq!(report["state"], "enforced");
    assert_eq!(report["xdp"], "generic");
    let why = report["native_refused"].as_str().unwrap_or_default();
    assert_eq!(why, too_few_queues(), "{report}");
    let status = scene.op25b(&["status"]).stdout;
    let warning = format!(
        "WARNING sub0: runs in generic mode, which is several times slower, as native mode was refused: {}\n",
        too_few_queues()
    );
    assert!(status.contains(&warning), "{status}");
    assert_eq!(
        mode_metrics(scene),
        ["op25b_interface_xdp_mode{interface=\"sub0\",mode=\"generic\"} 1"]
    );
}

fn assert_native(scene: &Scene) {
    assert!(scene.modes().contains(&("sub0".to_owned(), "native")));
    let report = report(scene);
    assert_eq!(
        (&report["xdp"], &report["native_refused"]),
        (&json!("native"), &Value::Null)
    );
    assert_eq!(
        mode_metrics(scene),
        ["op25b_interface_xdp_mode{interface=\"sub0\",mode=\"native\"} 1"]
    );
}

#[test]
fn an_interface_that_returns_in_generic_mode_is_warned_of_and_shown_and_gets_native_mode_later() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    assert_native(&scene);
    assert_eq!(warnings(&filter), 0);

    // It returns with queues for which the driver refuses native mode.
    scene.ip(&FEW_QUEUES[..1]);
    eventually("it is gone", || report(&scene)["state"] == "missing");
    assert_eq!(mode_metrics(&scene), [""; 0]);
    scene.ip(&["link add other0 numrxqueues 1 type veth peer name peer0 numtxqueues 2"]);
    set_peer_queues(&scene, 2);
    scene.ip(&["link set other0 name sub0"]);
    eventually("it is enforced on again", || {
        report(&scene)["state"] == "enforced"
    });
    assert_generic(&scene);
    assert_eq!(warnings(&filter), 1, "{}", filter.log());

    // The queues are set right. The kernel sends no report of that to those who listen for links.
    set_peer_queues(&scene, 1);
    if tells_of_native_mode() {
        await_native(&scene);
        let log = filter.log();
        assert!(log.contains("runs in native mode now"), "{log}");
        assert!(log.contains("without a filter for a moment"), "{log}");
    } else {
        scene.ip(&FEW_QUEUES[..1]);
        eventually("it is gone again", || report(&scene)["state"] == "missing");
        scene.ip(&["link add sub0 type veth peer name peer0"]);
        await_native(&scene);
    }
    assert_native(&scene);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

/// Whether the kernel tells that a driver has native mode as it is configured now (Linux 6.3). Native mode is tried where an
/// interface returns otherwise.
fn tells_of_native_mode() -> bool {
    kernel_has("netdev_nl_dev_get_doit")
}

/// Native mode is looked for every ten seconds, and the first attempt takes another few.
fn await_native(scene: &Scene) {
    let deadline = Instant::now() + Duration::from_secs(45);
    while report(scene)["xdp"] != "native" {
        assert!(Instant::now() < deadline, "it stays in generic mode");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_driver_that_runs_xdp_programs_is_not_said_to_have_no_native_mode_but_why_it_refuses_at_a_start_and_a_reload()
 {
    let scene = Scene::new();
    scene.ip(&FEW_QUEUES);
    set_peer_queues(&scene, 2);
    let native = SMALL.replace("sub0, role: subscriber", "sub0, role: subscriber, xdp: native");
    let refusal = format!(
        "cannot attach to interface sub0 in native mode: {}; `xdp: generic` works with every driver, slower",
        too_few_queues()
    );

    // At a start the other interface is enforced, and this one degraded for that reason.
    let filter = scene.filter(&scene.policy(&native));
    assert_eq!(report(&scene)["state"], "unfiltered");
    assert_eq!(report(&scene)["why"], refusal);
    let status = scene.op25b(&["status"]).stdout;
    assert!(status.contains(&refusal), "{status}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    // A reload that demands native mode, of an interface that runs in generic mode or not at all, is refused for it.
    let corp0_alone = SMALL.replace("  - { name: sub0, role: subscriber }\n", "");
    for before in [SMALL, &corp0_alone] {
        let filter = scene.filter(&scene.policy(before));
        let attached = scene.modes();
        scene.policy(&native);
        let answer = scene.op25b(&["reload", "--json"]);
        assert_eq!(answer.json()["refused"], refusal, "{answer:?}");
        assert_eq!(scene.modes(), attached);
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

#[test]
fn an_interface_that_fell_back_is_left_in_generic_mode_while_the_driver_refuses() {
    let scene = Scene::new();
    scene.ip(&FEW_QUEUES);
    set_peer_queues(&scene, 2);
    let filter = scene.filter(&scene.policy(SMALL));
    assert_generic(&scene);
    assert_eq!(warnings(&filter), 1);
    // What is logged is quoted once more.
    let logged = too_few_queues().replace('"', "\\\"");
    assert!(filter.log().contains(&logged), "{}", filter.log());
    let before = scene.attached();

    // A change that does not help, and one of which the kernel says that native mode is still not there.
    scene.ip(&["link set sub0 mtu 1400", "link set peer0 mtu 1400"]);
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(scene.attached(), before);
    assert_eq!(filter.log().matches("without a filter for a moment").count(), 0);

    // A reload warns of it again, and an interface of the policy that is generic by choice is not warned of.
    let text = SMALL.replace("corp0, role: subscriber", "corp0, role: subscriber, xdp: generic");
    scene.policy(&text);
    let reload = scene.op25b(&["reload", "--json"]);
    let warning = format!(
        "the filter runs in generic mode on interface sub0, which is several times slower: {}",
        too_few_queues()
    );
    let printed = reload.json()["warnings"].clone();
    assert!(
        printed.as_array().unwrap().contains(&Value::from(warning)),
        "{reload:?}"
    );
    assert_generic(&scene);
    assert_eq!(warnings(&filter), 2, "{}", filter.log());
    assert_eq!(
        scene.daemon_report()["interfaces"][1]["native_refused"],
        Value::Null
    );

    // Nor does a restart lose it, though the driver's answer is not known any more.
    filter.leave_by(Signal::SIGTERM).unwrap();
    let filter = scene.filter(&scene.path("policy.yaml"));
    assert_eq!(warnings(&filter), 1, "{}", filter.log());
    assert_eq!(
        report(&scene)["native_refused"],
        "refused when the filter was attached"
    );
}
