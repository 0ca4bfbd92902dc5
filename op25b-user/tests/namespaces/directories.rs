//! Directories that are not the daemon's, and output that nobody reads.

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
    let _filter = scene.filter(&scene.policy(SMALL));
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
        ] {
            wrong(&scene.op25b(&[words, &given].concat()), pid, option, "");
        }
        wrong(
            &scene.op25b(&[&add[..], &given].concat()),
            pid,
            option,
            ": nothing was changed",
        );
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
}
