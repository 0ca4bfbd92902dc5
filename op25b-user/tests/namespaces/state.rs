//! Whether the policy is enforced: `enforced`, `degraded` or `open`, the same to every reader, at a start and afterwards.

use std::{fs, os::unix::net::UnixDatagram, thread, time::Duration};

use nix::sys::signal::Signal;
use op25b_common::refusal::TRACEPOINT;
use op25b_testlab::{filter::Filter, lab::Servers};
use serde_json::Value;

use crate::support::{
    foreign_program::{self, ForeignProgram},
    scene::{PATIENCE, SMALL, Scene, eventually},
};

/// The policy with another interface instead of corp0.
fn with(interface: &str) -> String {
    SMALL.replace("name: corp0", &format!("name: {interface}"))
}

fn interface(scene: &Scene, name: &str) -> Value {
    let interfaces = scene.daemon_report()["interfaces"].clone();
    let mut interfaces = interfaces.as_array().unwrap().iter();
    interfaces.find(|found| found["name"] == name).unwrap().clone()
}

fn errors(filter: &Filter) -> Vec<String> {
    let log = filter.log();
    let errors = log.lines().filter(|line| line.contains("\"ERROR\""));
    errors.map(str::to_owned).collect()
}

/// Asserts the state that every reader is shown.
#[track_caller]
fn assert_state(scene: &Scene, state: &str) {
    let report = scene.daemon_report();
    assert_eq!(report["state"], state);
    let status = scene.op25b(&["status", "--json"]);
    let code = match state {
        "enforced" => 0,
        "degraded" => 4,
        _ => 3,
    };
    assert_eq!(
        (status.code, &status.json()["state"]),
        (Some(code), &state.into())
    );
    assert_eq!(status.json()["enforcement"]["state"], state);
    assert_eq!(status.json()["enforcement"]["interfaces"], report["interfaces"]);
    let text = scene.op25b(&["status"]).stdout;
    assert_eq!(
        text.starts_with("PARTLY enforcing: "),
        state == "degraded",
        "{text}"
    );
    assert_eq!(text.starts_with("NOT enforcing: "), state == "open", "{text}");
    let page = scene.op25b(&["metrics"]).stdout;
    for other in ["enforced", "degraded", "open"] {
        let series = format!("op25b_state{{state=\"{other}\"}} {}", u8::from(other == state));
        assert!(page.lines().any(|line| line == series), "{series} in {page}");
    }
}

#[test]
fn a_start_filters_where_it_can_and_the_missing_interface_as_soon_as_it_is_there() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(&with("corp9")));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
    scene.assert_blocked(&servers, &filter);
    assert_state(&scene, "degraded");
    assert_eq!(interface(&scene, "sub0")["state"], "enforced");
    assert_eq!(interface(&scene, "corp9")["state"], "missing");
    let why = "there is no interface corp9 in this network namespace; `ip link` lists ";
    let errors = errors(&filter);
    assert!(errors.iter().any(|error| error.contains(why)), "{errors:?}");

    scene.ip(&["link add corp9 type veth peer name corp8"]);
    eventually("it is filtered", || scene.attached().len() == 2);
    assert_state(&scene, "enforced");
}

#[test]
fn what_takes_long_of_attaching_is_done_before_an_interface_appears() {
    let scene = Scene::new();
    let policy = with("corp9").replace("  - { name: sub0, role: subscriber }\n", "");
    let filter = scene.filter(&scene.policy(&policy));
    assert_state(&scene, "open");
    let descriptors = format!("/proc/{}/fdinfo", filter.pid());
    let listens = || {
        let mut files = fs::read_dir(&descriptors).unwrap().flatten();
        files.any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains(TRACEPOINT)))
    };
    eventually("it listens for a refusal", listens);
    scene.ip(&["link add corp9 type veth peer name corp8"]);
    eventually("it is filtered", || scene.attached().len() == 1);
}

#[test]
fn a_start_leaves_another_program_alone_and_takes_its_place_when_it_goes() {
    let scene = Scene::new();
    let foreign = ForeignProgram::attach(scene.router(), "corp0", true);
    let filter = scene.filter(&scene.policy(SMALL));
    assert_state(&scene, "degraded");
    let corp0 = interface(&scene, "corp0");
    assert_eq!(corp0["state"], "unfiltered");
    let id = &corp0["program_id"];
    let why = format!(
        "interface corp0 already runs the XDP program \"{}\" (id {id}, native)",
        foreign_program::NAME
    );
    assert!(corp0["why"].as_str().unwrap().starts_with(&why), "{corp0}");
    // Long enough for several attempts.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(errors(&filter).len(), 1, "{}", filter.log());
    assert_eq!(interface(&scene, "corp0"), corp0);

    drop(foreign);
    eventually("it is filtered", || {
        interface(&scene, "corp0")["state"] == "enforced"
    });
    assert_eq!(interface(&scene, "corp0")["interferences"], 0);
    assert_state(&scene, "enforced");
}

#[test]
fn a_start_that_can_attach_nowhere_is_open_and_attaches_as_soon_as_it_can() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let foreign = ["sub0", "corp0"].map(|interface| ForeignProgram::attach(scene.router(), interface, true));
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_open(&servers);
    assert_state(&scene, "open");
    drop(foreign);
    eventually("it is enforced", || scene.daemon_report()["state"] == "enforced");
    scene.assert_blocked(&servers, &filter);
    assert_state(&scene, "enforced");
}

#[test]
fn what_cannot_be_attached_is_logged_once_and_not_every_second() {
    let scene = Scene::new();
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    let policy = with("vx0, xdp: native");
    let filter = scene.filter(&scene.policy(&policy));
    assert_state(&scene, "degraded");
    thread::sleep(Duration::from_secs(5));
    let errors = errors(&filter);
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert!(
        error.contains("Underlying driver does not support XDP in native mode"),
        "{error}"
    );
    assert_eq!(interface(&scene, "vx0")["state"], "unfiltered");
}

#[test]
fn an_interface_on_which_nothing_of_ours_runs_does_not_prevent_a_reload() {
    let scene = Scene::new();
    let foreign = ForeignProgram::attach(scene.router(), "corp0", true);
    let filter = scene.filter(&scene.policy(SMALL));
    let relays = "relays: [{ name: r, prefixes: [192.0.2.25] }]\n";
    scene.policy(&format!("{SMALL}{relays}"));
    let done = filter.reload().unwrap();
    let (first, rest) = done.split_once('\n').unwrap();
    assert!(
        first.starts_with("reloaded: policy ") && first.ends_with("; 1 change"),
        "{done}"
    );
    assert_eq!(rest, "relays: 1 added\n  + r: prefixes 192.0.2.25/32\n");
    assert_state(&scene, "degraded");
    // One that the policy gets only now must be filtered.
    scene.policy(&with("corp9"));
    assert_eq!(scene.op25b(&["reload"]).code, Some(1));
    drop(foreign);
    eventually("it is filtered", || scene.daemon_report()["state"] == "enforced");
}

#[test]
fn a_restart_that_cannot_filter_a_new_interface_takes_the_filter_off_no_other() {
    let scene = Scene::new();
    let pid = scene.filter(&scene.policy(SMALL));
    pid.leave_by(Signal::SIGKILL).unwrap();
    let before = scene.attached();
    let policy = scene.policy(&with("corp9"));
    let answer = scene.op25b(&["run", "--policy", policy.to_str().unwrap()]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert_eq!(scene.attached(), before);

    // Where it takes it off none, it goes on with those that there are.
    let more = SMALL.replace("pools:", "  - { name: corp9, role: subscriber }\npools:");
    let _filter = scene.filter(&scene.policy(&more));
    assert_eq!(scene.attached().len(), 2);
    assert_state(&scene, "degraded");
}

#[test]
fn without_a_daemon_the_status_is_that_of_the_kernel() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    filter.leave_by(Signal::SIGKILL).unwrap();
    let enforcement = |scene: &Scene| scene.op25b(&["status", "--json"]).json()["enforcement"].clone();
    assert_eq!(enforcement(&scene)["state"], "enforced");
    scene.ip(&["link set sub0 down", "link set sub0 name old0"]);
    assert_eq!(enforcement(&scene)["state"], "degraded");
    assert_eq!(enforcement(&scene)["interfaces"][0]["state"], "missing");
    scene.ip(&["link add sub0 type veth peer name sub1"]);
    assert_eq!(enforcement(&scene)["interfaces"][0]["state"], "unfiltered");
    scene.ip(&["link delete corp0"]);
    assert_eq!(enforcement(&scene)["state"], "open");
    let text = scene.op25b(&["status"]).stdout;
    assert!(
        text.starts_with("NOT enforcing: sub0 and corp0 have no filter, and no daemon runs\n"),
        "{text}"
    );
}

#[test]
fn the_service_manager_is_shown_every_change_of_the_state() {
    let scene = Scene::new();
    let path = scene.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let await_status = |status: &str| {
        let mut buffer = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
            if messages.iter().any(|message| message.contains(status)) {
                return messages;
            }
        }
        panic!("{status} is not in {messages:?}");
    };
    let policy = scene.policy(&with("corp9"));
    let filter = scene.filter_with(&policy, &[], &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let degraded = "STATUS=DEGRADED: enforcing on 1 of 2 interfaces, not on corp9 (missing): 1 pool,";
    // The network may come up only after the unit: it is started.
    let started = await_status("READY=1");
    assert!(
        started.iter().any(|message| message.contains(degraded)),
        "{started:?}"
    );
    scene.ip(&["link add corp9 type veth peer name corp8"]);
    await_status("STATUS=enforcing on 2 of 2 interfaces: 1 pool,");
    scene.ip(&["link delete corp9"]);
    await_status(degraded);
    scene.ip(&["link delete sub0"]);
    await_status("STATUS=OPEN: enforcing on none of 2 interfaces: sub0 (missing), corp9 (missing)");
    eventually("it is logged", || {
        filter.log().contains("OPEN: enforcing on none")
    });
}
