//! `op25b run` refuses in one line, and without having touched an interface.

use op25b_testlab::lab::Servers;

use crate::support::{
    foreign_program::{self, ForeignProgram},
    scene::{Answer, SMALL, Scene},
};

fn run(scene: &Scene, policy: &str) -> Answer {
    let policy = scene.policy(policy);
    scene.op25b(&["run", "--policy", policy.to_str().unwrap()])
}

/// The error, after what was logged before it.
fn last_line(answer: &Answer) -> &str {
    assert_eq!(answer.code, Some(2), "{answer:?}");
    answer.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_missing_second_interface_is_refused_before_the_first_is_touched() {
    let scene = Scene::new();
    let answer = run(&scene, &SMALL.replace("corp0", "corp9"));
    assert_eq!(
        last_line(&answer),
        "op25b: there is no interface corp9 in this network namespace; \
         `ip link` lists access0, corp0, lo, relay0, sub0, up0"
    );
    assert_eq!(scene.attached(), []);
}

#[test]
fn an_interface_with_another_xdp_program_is_refused_with_its_name_and_left_as_it_is() {
    let scene = Scene::new();
    for (native, mode) in [(true, "native"), (false, "generic")] {
        let _foreign = ForeignProgram::attach(scene.router(), "corp0", native);
        let before = scene.attached();
        let [(_, _, id)] = before.as_slice() else {
            panic!("{before:?}")
        };
        for xdp in ["auto", "native", "generic"] {
            let policy = SMALL.replace("role: subscriber", &format!("role: subscriber, xdp: {xdp}"));
            assert_eq!(
                last_line(&run(&scene, &policy)),
                format!(
                    "op25b: interface corp0 already runs the XDP program {:?} (id {id}, {mode}){}; remove it \
                     first, for example with `ip link set dev corp0 xdp off`, or stop the process that holds it",
                    foreign_program::NAME,
                    if [mode, "auto"].contains(&xdp) {
                        ""
                    } else {
                        ", and the kernel runs no native and generic XDP at the same time on one interface"
                    }
                )
            );
            assert_eq!(scene.attached(), before);
        }
    }
    assert_eq!(scene.attached(), []);
}

/// Why `xdp: generic` beside another native program is refused, and the other way round.
#[test]
fn the_kernel_runs_no_native_and_generic_program_at_the_same_time() {
    let scene = Scene::new();
    for native in [true, false] {
        let _foreign = ForeignProgram::attach(scene.router(), "corp0", native);
        let error = ForeignProgram::try_attach(scene.router(), "corp0", !native)
            .err()
            .unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST), "{error}");
    }
}

#[test]
fn a_second_filter_in_the_same_place_is_refused_and_the_first_goes_on() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let first = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    let answer = run(&scene, SMALL);
    let [(_, pins), ..] = scene.router().places();
    assert_eq!(
        answer.refusal(),
        format!(
            "op25b: process {} already enforces from {}; `op25b reload` gives it a new policy, `op25b stop` ends it",
            first.pid(),
            pins.display()
        )
    );
    assert_eq!(scene.attached(), before);
    scene.assert_blocked(&servers, &first);

    // Nor does one with another place take its interfaces.
    let policy = scene.policy(SMALL);
    let elsewhere = pins.join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let state = scene.path("state");
    let answer = scene.op25b(&[
        "run",
        "--policy",
        policy.to_str().unwrap(),
        "--bpffs",
        elsewhere,
        "--runtime-dir",
        state.to_str().unwrap(),
    ]);
    let (_, _, id) = before[0];
    let refusal =
        format!("interface sub0 already runs the XDP program \"op25b_subscribe\" (id {id}, native)");
    assert!(answer.stderr.contains(&refusal), "{answer:?}");
    assert_eq!((answer.code, scene.attached()), (Some(2), before));
}

#[test]
fn an_interface_that_the_driver_refuses_leaves_the_first_one_free() {
    let scene = Scene::new();
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    let policy =
        scene.policy(&SMALL.replace("corp0, role: subscriber", "vx0, role: subscriber, xdp: native"));
    let answer = scene.op25b(&["run", "--policy", policy.to_str().unwrap()]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert_eq!(
        answer.stderr.lines().last(),
        Some(
            "op25b: cannot attach to interface vx0 in native mode: the driver does not support it; \
             `xdp: generic` works with every driver, slower: Operation not supported (os error 95)"
        )
    );
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_policy_with_errors_is_refused_with_its_diagnostics_and_nothing_is_changed() {
    let scene = Scene::new();
    let answer = run(&scene, &SMALL.replace("198.51.100.0/24", "198.51.100.1/24"));
    assert_eq!(answer.code, Some(2));
    let policy = scene.path("policy.yaml");
    let policy = policy.display();
    assert!(answer.stderr.contains(&format!("{policy}:5:")), "{answer:?}");
    assert!(answer.stderr.contains("198.51.100.0/24"), "{answer:?}");
    assert_eq!(
        answer.stderr.lines().last(),
        Some(format!("op25b: {policy}: the policy has errors; nothing was changed").as_str())
    );
    assert_eq!(scene.attached(), []);

    // Nor is a filter that runs already.
    let filter = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    assert_eq!(run(&scene, "version: 2\n").code, Some(2));
    assert_eq!(scene.attached(), before);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn a_policy_that_is_not_there_is_refused_with_its_name() {
    let scene = Scene::new();
    let answer = scene.op25b(&["run", "--policy", "/nonexistent/policy.yaml"]);
    assert_eq!(
        answer.refusal(),
        "op25b: cannot read /nonexistent/policy.yaml: No such file or directory (os error 2)"
    );
}
