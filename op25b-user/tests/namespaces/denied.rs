//! What the kernel denies although the capabilities are held: the error names what denies it.

use crate::support::scene::{OP25B, SMALL, Scene};

/// The capabilities are those of a user namespace, which the kernel does not count for BPF.
#[test]
fn a_start_that_is_denied_in_spite_of_its_capabilities_names_what_denies_it() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let run = [
        "--user",
        "--map-root-user",
        OP25B,
        "run",
        "--policy",
        policy.to_str().unwrap(),
    ];
    let answer = scene.on_router("unshare", &run);
    let refusal = answer.refusal();
    assert!(
        refusal.starts_with("op25b: cannot use XDP programs")
            && refusal.contains("Operation not permitted (os error 1)"),
        "{refusal}"
    );
    assert!(
        refusal.contains("the capabilities are held, so something else denies it: ")
            && refusal
                .contains("this process is in a user namespace, whose capabilities do not count for BPF"),
        "{refusal}"
    );
    assert!(!refusal.contains("run op25b as root"), "{refusal}");
    assert_eq!(scene.attached(), []);
}
