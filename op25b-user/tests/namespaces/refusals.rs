//! Starts and reloads that are refused, with why in one line and without having touched an interface.

use op25b_testlab::lab::Servers;

use crate::support::{
    foreign_program::ForeignProgram,
    scene::{Answer, Mounted, SMALL, Scene, eventually},
};

fn run(scene: &Scene, policy: &str) -> Answer {
    let policy = scene.policy(policy);
    scene.op25b(&["run", "--policy", policy.to_str().unwrap()])
}

/// Why the router's daemon refuses to reload its policy with this text.
fn refused_reload(scene: &Scene, policy: &str) -> String {
    scene.policy(policy);
    let answer = scene.op25b(&["reload", "--json"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    answer.json()["refused"].as_str().unwrap().to_owned()
}

/// The policy without corp0.
fn sub0_alone() -> String {
    SMALL.replace("  - { name: corp0, role: subscriber }\n", "")
}

#[test]
fn a_reload_with_a_missing_interface_is_refused_before_the_others_are_touched() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&sub0_alone()));
    let before = scene.attached();
    assert_eq!(
        refused_reload(&scene, &SMALL.replace("corp0", "corp9")),
        "there is no interface corp9 in this network namespace; `ip link` lists access0, corp0, lo, relay0, sub0, up0"
    );
    assert_eq!(scene.attached(), before);
}

#[test]
fn a_reload_is_refused_with_the_id_of_another_xdp_program_which_is_left_as_it_is() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&sub0_alone()));
    for (native, mode) in [(true, "native"), (false, "generic")] {
        let foreign = ForeignProgram::attach(scene.router(), "corp0", native);
        let before = scene.attached();
        let id = before.iter().find(|(name, ..)| name == "corp0").unwrap().2;
        for xdp in ["auto", "native", "generic"] {
            let policy = SMALL.replace(
                "corp0, role: subscriber",
                &format!("corp0, role: subscriber, xdp: {xdp}"),
            );
            let refused = refused_reload(&scene, &policy);
            let other_mode = "the kernel runs no native and generic XDP at the same time on one interface";
            assert!(
                refused.starts_with(&format!(
                    "interface corp0 already runs another XDP program (id {id}, {mode})"
                )),
                "{refused}"
            );
            assert_eq!(
                refused.contains(other_mode),
                ![mode, "auto"].contains(&xdp),
                "{refused}"
            );
            assert_eq!(scene.attached(), before);
        }
        drop(foreign);
        // A process that another test is just starting may hold it for a moment more.
        eventually("it is gone", || scene.attached().len() == 1);
    }
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
    let elsewhere = Mounted(scene.path("elsewhere"));
    let state = scene.path("state");
    let second = scene.filter_with(
        &scene.policy(SMALL),
        &[],
        &[
            ("OP25B_BPFFS", elsewhere.0.to_str().unwrap()),
            ("OP25B_RUNTIME_DIR", state.to_str().unwrap()),
            ("OP25B_STATE_DIR", state.to_str().unwrap()),
        ],
    );
    let (_, _, id) = before[0];
    let refusal =
        format!("interface sub0 already runs the XDP program \"op25b_subscribe\" (id {id}, native)");
    assert!(second.log().contains(&refusal), "{}", second.log());
    assert!(second.log().contains("`op25b stop --detach`"), "{}", second.log());
    assert_eq!(scene.attached(), before);

    // The remedy that it names works.
    assert_eq!(first.stop().unwrap().code(), Some(0));
    eventually("the second filter runs", || scene.attached().len() == 2);
    assert_eq!(second.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_reload_with_an_interface_that_the_driver_refuses_changes_no_other() {
    let scene = Scene::new();
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    let _filter = scene.filter(&scene.policy(&sub0_alone()));
    let before = scene.attached();
    let policy = SMALL.replace("corp0, role: subscriber", "vx0, role: subscriber, xdp: native");
    assert_eq!(
        refused_reload(&scene, &policy),
        "cannot attach to interface vx0 in native mode: \"Underlying driver does not support XDP in native mode\" (driver vxlan, \
         Operation not supported (os error 95)); `xdp: generic` works with every driver, slower"
    );
    assert_eq!(scene.attached(), before);
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
