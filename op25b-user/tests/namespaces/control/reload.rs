//! `op25b reload`, `--watch`, and the last reload in `op25b status`.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::PathBuf,
};

use nix::{
    mount::{MsFlags, mount},
    sys::signal::Signal,
};
use op25b::schema::Schema;
use op25b_testlab::lab::Servers;
use serde_json::{Value, json};

use crate::support::{
    json::assert_documented,
    scene::{Mounted, SMALL, Scene, eventually, reloads},
};

const EXEMPTION: &str =
    "exemptions: [{ customer: Example KK, prefixes: [198.51.100.10, '2001:db8:100::10'] }]\n";

fn runtime_dir(scene: &Scene) -> PathBuf {
    let [_, (_, runtime), _] = scene.router().places();
    runtime
}

fn last_reload(scene: &Scene) -> Value {
    scene.op25b(&["status", "--json"]).json()["filters"][0]["last_reload"].clone()
}

#[test]
fn reload_enforces_the_file_as_it_is_now_and_prints_the_changes() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    let unchanged = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!((unchanged.code, unchanged.stderr.as_str()), (Some(0), ""));
    assert!(
        unchanged.stdout.starts_with("would reload: policy ")
            && unchanged
                .stdout
                .contains(", nothing changes; until then the policy loaded at ")
            && unchanged
                .stdout
                .contains(" stays in force\nimpact: nobody known becomes blocked or free ("),
        "{unchanged:?}"
    );

    scene.policy(&format!("{SMALL}{EXEMPTION}"));
    let changes = "exemptions: 1 added\n  + Example KK: prefixes 198.51.100.10/32, 2001:db8:100::10/128\n";
    let dry = scene.op25b(&["reload", "--dry-run"]);
    let (first, rest) = dry.stdout.split_once('\n').unwrap();
    assert!(
        first.starts_with("would reload: policy ") && first.contains(", 1 change; "),
        "{dry:?}"
    );
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(
        rest.starts_with(&format!("would change:\n{changes}impact ("))
            && rest.contains("\n    Example KK, 198.51.100.10, 2001:db8:100::10 (exemption line-")
            && rest.contains("): blocked -> exempt"),
        "{dry:?}"
    );
    let document = scene.op25b(&["reload", "--dry-run", "--json"]).stdout;
    assert_documented(Schema::Reload, &document);
    assert_eq!(scene.attached(), before);
    assert!(last_reload(&scene).is_null());
    scene.assert_blocked(&servers, &filter);

    let done = scene.op25b(&["reload"]);
    let (first, rest) = done.stdout.split_once('\n').unwrap();
    assert!(
        first.starts_with("reloaded: policy ")
            && first.contains(" is in force since 20")
            && first.ends_with("; 1 change"),
        "{done:?}"
    );
    assert_eq!((done.code, rest), (Some(0), changes), "{done:?}");
    let sha256 = scene.daemon_report()["policy_sha256"].clone();
    assert!(first.contains(&sha256.as_str().unwrap()[..12]), "{done:?}");
    scene.assert_open(&servers);
    let last = last_reload(&scene);
    assert_eq!(last["asked_by"], "reload");
    assert_eq!((&last["uid"], &last["user"]), (&json!(0), &json!("root")));
    assert!(last["refused"].is_null() && last["at"].is_string(), "{last}");
    let text = scene.op25b(&["status"]).stdout;
    assert!(text.contains("\n  reload      done at 20"), "{text}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert!(!runtime_dir(&scene).join("control.sock").exists());
}

#[test]
fn a_refused_reload_is_answered_with_its_diagnostics_and_remembered() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    let policy = scene.policy(&SMALL.replace("198.51.100.0/24", "198.51.100.1/24"));
    for words in [&["reload", "--dry-run"][..], &["reload"]] {
        let answer = scene.op25b(words);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""), "{answer:?}");
        assert!(
            answer.stderr.contains(&format!("{}:5:", policy.display())),
            "{answer:?}"
        );
        let first = answer.stderr.lines().next().unwrap();
        let would_be = if words.len() > 1 { "would be " } else { "" };
        let refusal = format!(
            "{would_be}REFUSED: {}: the policy has errors; nothing was changed: line 5, ",
            policy.display()
        );
        assert!(
            first.starts_with(&refusal) && first.ends_with(" stays in force"),
            "{first}"
        );
        assert_eq!(scene.attached(), before);
    }
    let last = last_reload(&scene);
    assert!(last["refused"].as_str().unwrap().contains("line 5"), "{last}");
    let text = scene.op25b(&["status"]).stdout;
    assert!(text.contains("\n  reload      REFUSED at 20"), "{text}");

    let answer = scene.op25b(&["reload", "--json"]);
    assert_eq!(answer.code, Some(1));
    let answer = answer.json();
    assert_eq!(
        (&answer["dry_run"], &answer["changes"], &answer["result"]),
        (&json!(false), &json!(null), &json!("refused"))
    );
    assert_eq!(
        answer["in_force"]["sha256"],
        scene.daemon_report()["policy_sha256"]
    );
    assert_ne!(answer["in_force"]["sha256"], answer["file_sha256"]);
    assert!(
        answer["diagnostics"]
            .as_str()
            .unwrap()
            .contains("198.51.100.0/24")
    );

    scene.policy(SMALL);
    filter.reload().unwrap();
    assert!(last_reload(&scene)["refused"].is_null());
}

#[test]
fn what_a_refused_reload_would_have_changed_is_said_to_be_that() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    // Known only when it is tried.
    let policy = SMALL.replace(
        "pools:",
        "  - { name: vx0, role: subscriber, xdp: native }\npools:",
    );
    scene.policy(&policy);
    let refused = scene.op25b(&["reload"]);
    let first = refused.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("REFUSED: ")
            && first.contains("; the policy loaded at 20")
            && first.ends_with(" stays in force"),
        "{refused:?}"
    );
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (
            Some(1),
            "would have changed:\ninterfaces: 1 added\n  + vx0: role subscriber; xdp native; mpls false; wait false\n"
        ),
        "{refused:?}"
    );
}

#[test]
fn without_a_daemon_a_reload_is_refused_in_one_line() {
    let scene = Scene::new();
    let socket = runtime_dir(&scene).join("control.sock");
    let refusal = format!("op25b: no daemon answers at {}", socket.display());
    assert!(scene.op25b(&["reload"]).refusal().starts_with(&refusal));
    // The socket file of a killed one is no obstacle.
    scene
        .filter(&scene.policy(SMALL))
        .leave_by(Signal::SIGKILL)
        .unwrap();
    assert!(socket.exists());
    assert!(scene.op25b(&["reload"]).refusal().starts_with(&refusal));
    let filter = scene.filter(&scene.policy(SMALL));
    filter.reload().unwrap();
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
    assert!(!runtime_dir(&scene).join("control.sock").exists());
}

#[test]
fn the_socket_is_for_its_user_and_group_and_speaks_http() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let socket = runtime_dir(&scene).join("control.sock");
    let found = fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!((found.permissions().mode() & 0o777, found.uid()), (0o660, 0));
    let group = nix::unistd::Group::from_name("op25b").unwrap();
    assert_eq!(found.gid(), group.map_or(0, |group| group.gid.as_raw()));

    let body = scene.daemon_report();
    assert_eq!(body["pid"], filter.pid());
    assert_eq!(body["reloads"], 0);
    for (request, status) in [
        ("GET /v1/reload", 405),
        ("GET /", 404),
        ("POST /v1/reload?dry_run=perhaps", 400),
    ] {
        let answer = scene.ask_daemon(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn a_full_disk_takes_the_socket_and_not_the_filter() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let state = scene.path("state");
    fs::create_dir(&state).unwrap();
    mount(
        Some("tmpfs"),
        &state,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=4k,nr_inodes=2"),
    )
    .unwrap();
    let _mounted = Mounted(state.clone());
    fs::write(state.join("full"), "").unwrap();
    let filter = scene.filter_with(
        &scene.policy(SMALL),
        &[],
        &[("OP25B_RUNTIME_DIR", state.to_str().unwrap())],
    );
    assert!(
        filter.log().contains("there is no control socket"),
        "{}",
        filter.log()
    );
    scene.policy(&format!("{SMALL}{EXEMPTION}"));
    filter.signal(Signal::SIGHUP).unwrap();
    eventually("it is reloaded", || reloads(&filter.log()) == ["SIGHUP"]);
    scene.assert_open(&servers);
}

#[test]
fn with_watch_a_change_is_enforced_however_the_file_is_written() {
    let scene = Scene::new();
    let folder = scene.path("etc");
    fs::create_dir(&folder).unwrap();
    let policy = folder.join("policy.yaml");
    fs::write(&policy, SMALL).unwrap();
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    let changed = |name: &str| SMALL.replace("residential", name);
    let enforces = |name: &str| {
        eventually(name, || {
            let status = scene.op25b(&["status", "--json"]).json();
            status["filters"][0]["pools"][0]["name"] == name
        });
        assert_eq!(last_reload(&scene)["asked_by"], "watch");
    };
    // In place.
    fs::write(&policy, changed("one")).unwrap();
    enforces("one");
    // By another file that takes its name.
    let draft = folder.join(".policy.yaml.swp");
    fs::write(&draft, changed("two")).unwrap();
    fs::rename(&draft, &policy).unwrap();
    enforces("two");
    // Moved away first, as some editors do.
    fs::rename(&policy, folder.join("policy.yaml~")).unwrap();
    fs::write(&policy, changed("three")).unwrap();
    enforces("three");
    // By a link to a file in the same folder.
    fs::write(folder.join("policy-4.yaml"), changed("four")).unwrap();
    symlink("policy-4.yaml", folder.join("link")).unwrap();
    fs::rename(folder.join("link"), &policy).unwrap();
    enforces("four");

    // What does not change the text is no reason to reload, nor is what is refused to be refused twice.
    assert_eq!(reloads(&filter.log()), ["watch"; 4], "{}", filter.log());
    fs::write(folder.join("policy-4.yaml"), "version: 2\n").unwrap();
    eventually("it is refused", || last_reload(&scene)["refused"].is_string());
    fs::write(folder.join("other"), "").unwrap();
    fs::write(folder.join("policy-4.yaml"), changed("five")).unwrap();
    enforces("five");
    let refused = filter.log().matches("the policy was not reloaded").count();
    assert_eq!(refused, 1, "{}", filter.log());
}
