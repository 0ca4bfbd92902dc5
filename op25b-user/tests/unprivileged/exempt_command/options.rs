//! The names of options, and their places in `--help`.

use serde_json::json;

use crate::exempt_command::{daemon::ok, scene::Scene};

#[test]
fn source_and_destination_have_one_name_each_and_the_old_names_still_work() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| ok(&json!({ "items": [], "next": null })));
    for name in ["--src", "--in"] {
        scene.op25b(&["exempt", "list", name, "198.51.100.10"]);
        let request = daemon.requests().last().unwrap().line.clone();
        assert!(request.contains("in=198.51.100.10"), "{name}: {request}");
    }
    for name in ["--dst", "--dest"] {
        let add = [
            "exempt",
            "add",
            "198.51.100.8",
            "--customer",
            "A",
            name,
            "192.0.2.25",
        ];
        scene.op25b(&add);
        let body = daemon.requests().last().unwrap().body.clone();
        assert_eq!(body["destinations"], json!(["192.0.2.25"]), "{name}");
    }
    for (words, option, old) in [
        (&["exempt", "list"][..], "--src <PREFIX>", "--in "),
        (&["subscribers"], "--src <PREFIX>", "--in "),
        (&["exempt", "add"], "--dst <PREFIX>", "--dest"),
        (&["explain"], "--dst <IP>", "--dest"),
    ] {
        let help = scene.op25b(&[words, &["--help"]].concat()).stdout;
        assert!(help.contains(option) && !help.contains(old), "{help}");
    }
}

#[test]
fn the_options_of_a_command_come_before_those_of_all_commands() {
    let scene = Scene::new();
    for words in [
        &["reload"][..],
        &["stop"],
        &["status"],
        &["subscribers"],
        &["alerts"],
        &["events"],
        &["top"],
        &["metrics"],
        &["explain"],
        &["run"],
        &["exempt", "add"],
        &["exempt", "list"],
        &["export", "prefixes"],
    ] {
        let help = scene.op25b(&[words, &["--help"]].concat()).stdout;
        let (own, global) = help.split_once("\nGlobal options:\n").unwrap();
        assert!(own.contains("\nOptions:\n"), "{help}");
        for option in ["--bpffs", "--runtime-dir", "--state-dir", "--log-format"] {
            assert!(
                !own.contains(option) && global.contains(option),
                "{option}: {help}"
            );
        }
        let options = global.lines().filter(|line| line.trim_start().starts_with("--"));
        assert_eq!(options.count(), 4, "{help}");
    }
}

#[test]
fn check_reads_a_policy_from_stdin() {
    let scene = Scene::new();
    let policy = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                  pools: [{ name: homes, prefixes: [198.51.100.0/24] }]\n";
    let answer = scene.op25b_fed(&["check", "-"], policy);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
    assert!(
        answer.stdout.contains("<stdin>: ok: 1 pool (1 prefix)"),
        "{answer:?}"
    );
    let answer = scene.op25b_fed(&["check", "-"], "version: 1\npols: []\n");
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("<stdin>:2:1"), "{answer:?}");
}
