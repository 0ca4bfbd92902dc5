//! Directories that are not the daemon's, and output that nobody reads.

use nix::sys::signal::Signal;

use crate::support::scene::{Answer, OP25B, SMALL, Scene};

fn wrong(answer: &Answer, pid: u32, option: &str, end: &str) {
    let line = answer.refusal();
    assert!(
        line.starts_with(&format!("op25b: the daemon, process {pid}, uses /"))
            && line.ends_with(&format!("; you gave /no/such ({option}){end}")),
        "{line}"
    );
}

#[test]
fn a_directory_that_is_not_the_daemons_is_named_and_nothing_is_changed() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let status = scene.op25b(&["status", "--json"]).json();
    let pid = u32::try_from(
        status["daemon"]
            .as_u64()
            .or(status["filters"][0]["pid"].as_u64())
            .unwrap(),
    )
    .unwrap();
    let add = ["exempt", "add", "198.51.100.64", "--customer", "A"];
    for option in ["--runtime-dir", "--state-dir"] {
        let given = [option, "/no/such"];
        for words in [
            &["exempt", "list"][..],
            &["exempt", "history"],
            &["exempt", "show", "a"],
            &["export", "prefixes"],
            &["status"],
            &["metrics"],
            &["explain", "--src", "198.51.100.10"],
            &["diagnose", "198.51.100.10"],
        ] {
            wrong(&scene.op25b(&[words, &given].concat()), pid, option, "");
        }
        for words in [&add[..], &["reload"]] {
            let end = ": nothing was changed";
            wrong(&scene.op25b(&[words, &given].concat()), pid, option, end);
        }
    }
    let list = scene.op25b(&["exempt", "list", "--json"]).json();
    assert_eq!(list["exemptions"].as_array().map(Vec::len), Some(0));

    // The output of what reads the kernel or asks the daemon may be closed, too.
    for command in [
        "status",
        "status --json",
        "subscribers",
        "subscribers --json",
        "metrics",
        "explain --src 198.51.100.10",
        "explain --src 198.51.100.10 --json",
        "reload --dry-run",
        "reload --dry-run --json",
        "exempt list --json",
    ] {
        // The reader has ended before the command begins.
        let piped =
            format!("exec 3> >(true); wait $!; \"$0\" {command} >&3; case $? in 0|141) ;; *) exit 1;; esac");
        let answer = scene.on_router("bash", &["-c", &piped, OP25B]);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{command}");
    }

    filter_elsewhere(&scene, pid);
    filter.leave_by(Signal::SIGKILL).unwrap();
    without_a_daemon(&scene);
}

/// Commands with directories of which none is the daemon's name the filter here, its daemon and its directories.
fn filter_elsewhere(scene: &Scene, pid: u32) {
    let places = scene.router().places();
    let [pins, runtime, state] = places.each_ref().map(|(_, place)| place.display());
    let told = format!(
        "nothing is pinned in /sys/fs/bpf/no-such (--bpffs); the filter on corp0, sub0 has --bpffs {pins} --runtime-dir {runtime} \
         --state-dir {state} (daemon: process {pid})"
    );
    let others = [
        "--bpffs",
        "/sys/fs/bpf/no-such",
        "--runtime-dir",
        "/no/such",
        "--state-dir",
        "/no/such",
    ];
    for (words, end) in [
        (&["exempt", "list"][..], ""),
        (&["diagnose", "198.51.100.10"], ""),
        (&["reload"], ": nothing was changed"),
    ] {
        let answer = scene.op25b(&[words, &others].concat());
        assert_eq!(answer.refusal(), format!("op25b: {told}{end}"), "{words:?}");
    }
    // What reports the kernel of this network namespace follows that filter.
    for words in [
        &["status"][..],
        &["metrics"],
        &["explain", "--src", "198.51.100.10"],
    ] {
        let followed = scene.op25b(&[words, &others].concat());
        assert_eq!(followed.stderr, format!("op25b: {told}\n"), "{words:?}");
        let own = scene.op25b(words);
        let lines = |answer: &Answer| {
            answer
                .stdout
                .lines()
                .take(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (followed.code, lines(&followed)),
            (own.code, lines(&own)),
            "{words:?}"
        );
    }
}

/// Without a daemon, the filter's description in the kernel names its state directory.
fn without_a_daemon(scene: &Scene) {
    let [(_, pins), _, (_, state)] = scene.router().places();
    for words in [
        &["exempt", "list"][..],
        &["exempt", "history"],
        &["diagnose", "198.51.100.10"],
        &["status"],
        &["metrics"],
        &["explain", "--src", "198.51.100.10"],
    ] {
        let answer = scene.op25b(&[words, &["--state-dir", "/no/such"]].concat());
        let told = format!(
            "op25b: the daemon of the filter that is pinned in {} used {}; you gave /no/such (--state-dir)",
            pins.display(),
            state.display()
        );
        assert_eq!(answer.refusal(), told, "{words:?}");
    }
    // Its counters are kept there, whatever directory is given; the directory of the socket stays.
    let [_, (_, runtime), _] = scene.router().places();
    let detached = scene.op25b(&["stop", "--detach", "--state-dir", "/no/such"]);
    assert_eq!(detached.code, Some(0), "{detached:?}");
    assert!(
        detached
            .stdout
            .contains(&state.join("detached-").display().to_string()),
        "{detached:?}"
    );
    assert!(runtime.is_dir());
    // Nothing is known of such a directory.
    let listed = scene.op25b(&["exempt", "list", "--state-dir", "/no/such"]);
    assert!(listed.refusal().contains("/no/such (--state-dir)"), "{listed:?}");
}
