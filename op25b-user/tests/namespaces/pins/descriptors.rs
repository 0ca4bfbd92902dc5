//! More interfaces than the usual limit on open files allows.

use std::{fmt::Write as _, path::Path, process::Command};

use op25b_testlab::filter::Filter;

use crate::support::scene::{OP25B, Scene};

/// Interfaces beyond the limit with which the test runs op25b.
const INTERFACES: usize = 40;

#[test]
fn a_low_soft_limit_on_open_files_does_not_limit_the_interfaces() {
    let scene = Scene::new();
    let mut policy = "version: 1\ninterfaces:\n".to_owned();
    for number in 0..INTERFACES {
        if number % 2 == 0 {
            let pair = format!("link add many{number} type veth peer name many{}", number + 1);
            scene.ip(&[&pair]);
        }
        writeln!(policy, "  - {{ name: many{number}, role: subscriber }}").unwrap();
    }
    policy += "pools: [{ name: residential, prefixes: [198.51.100.0/24] }]\n";
    let limited = ["--nofile=48:4096", OP25B];
    let mut command = Command::new("prlimit");
    command
        .args(limited)
        .args(["--log-format", "json", "run", "--policy"])
        .arg(scene.policy(&policy));
    let filter = Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap();
    assert_eq!(scene.attached().len(), INTERFACES);
    // A replacement holds the links twice.
    filter.reload().unwrap();
    for arguments in [&["status"][..], &["stop", "--detach"]] {
        let answer = scene.on_router("prlimit", &[&limited[..], arguments].concat());
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    assert_eq!(scene.attached(), []);
}
