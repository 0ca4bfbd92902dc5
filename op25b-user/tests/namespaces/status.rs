//! `op25b status`: what the kernel enforces on this machine.

use op25b_testlab::lab::{Host, Servers};
use serde_json::json;

use crate::support::scene::{Mounted, SMALL, Scene, lab_policy};

#[test]
fn without_a_filter_it_exits_with_3_and_prints_so() {
    let scene = Scene::new();
    let text = scene.op25b(&["status"]);
    assert_eq!(text.code, Some(3));
    assert_eq!(
        text.stdout,
        "no op25b filter is running on the interfaces of this network namespace\n"
    );
    assert_eq!(text.stderr, "");
    let json = scene.op25b(&["status", "--json"]);
    assert_eq!(json.code, Some(3));
    assert_eq!(
        json.json(),
        json!({ "state": "not_enforcing", "daemon": null, "filters": [], "unreadable": [], "faults": [] })
    );
}

#[test]
fn json_names_process_program_policy_interfaces_pools_exemptions_and_counters() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&lab_policy());
    scene.assert_blocked(&servers, &filter);
    let answer = scene.op25b(&["status", "--json"]);
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.stderr, "");
    let mut status = answer.json();
    let status = &mut status["filters"][0];

    let (_, _, program) = scene.attached()[0];
    assert_eq!(status["pid"], filter.pid());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["policy"]["file"], lab_policy().to_str().unwrap());
    assert_eq!(status["policy"]["sha256"].as_str().unwrap().len(), 64);
    let interfaces = status["interfaces"].as_array_mut().unwrap();
    interfaces.sort_by_key(|interface| interface["name"].to_string());
    for (interface, name) in interfaces.iter().zip(["access0", "corp0", "sub0"]) {
        assert_eq!(interface["name"], name);
        assert_eq!(interface["role"], "subscriber");
        assert_eq!(interface["xdp"], "native");
        assert_eq!(interface["program_id"], program);
        assert!(interface["ifindex"].as_u64().unwrap() > 1);
    }
    assert_eq!(
        status["pools"],
        json!([{ "name": "residential", "mode": "enforce", "prefixes": 2, "remembered": true }])
    );
    assert!(status["uplink_counters"].is_null());
    assert_eq!(status["relays"], 1);
    assert_eq!(
        status["exemptions"],
        json!({ "total": 1, "active": 1, "expired": 0, "as_loaded": false })
    );
    assert!(status["counters"]["blocked"].as_u64().unwrap() > 0);
    for reason in [
        "uninspectable",
        "not_pooled",
        "relay",
        "exempt",
        "established",
        "monitored",
    ] {
        assert_eq!(status["counters"][reason], 0, "{reason}");
    }
}

#[test]
fn text_shows_the_same_as_json() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let (_, _, program) = scene.attached()[0];
    let answer = scene.op25b(&["status"]);
    assert_eq!(answer.code, Some(0));
    let (first, rest) = answer.stdout.split_once('\n').unwrap();
    assert!(first.starts_with("enforcing since 20"), "{first}");
    let mut lines: Vec<_> = rest.lines().collect();
    // In the order in which the kernel lists the interfaces.
    lines[2..4].sort_by_key(|line| line.contains("sub0"));
    assert!(
        lines[2].ends_with(&format!("corp0 (subscriber, native, program {program})"))
            && lines[3].ends_with(&format!("sub0 (subscriber, native, program {program})")),
        "{rest}"
    );
    // How much it is depends on the policy's tables and on the processors.
    let memory = lines
        .iter()
        .position(|line| line.starts_with("  memory"))
        .unwrap();
    let mebibytes = lines.remove(memory).split_whitespace().nth(1).unwrap();
    assert!((1..1000).contains(&mebibytes.parse::<u32>().unwrap()), "{rest}");
    let others: Vec<_> = lines[..2].iter().chain(&lines[4..]).copied().collect();
    assert_eq!(
        others,
        [
            format!(
                "  daemon      process {} (op25b {})",
                filter.pid(),
                env!("CARGO_PKG_VERSION")
            ),
            format!("  policy      {}", policy.display()),
            "  pools       residential (enforce, prefixes: 2)".into(),
            "  relays      0".into(),
            "  exemptions  0 (0 active, 0 expired)".into(),
            "  reason                packets".into(),
            "  uninspectable               0".into(),
            "  not_pooled                  0".into(),
            "  relay                       0".into(),
            "  exempt                      0".into(),
            "  established                 0".into(),
            "  monitored                   0".into(),
            "  blocked                     0".into(),
        ]
    );
}

#[test]
fn two_filters_on_different_interfaces_are_both_listed_and_counted_apart() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let [one, other] = ["sub0", "corp0"].map(|interface| {
        let path = scene.path(&format!("{interface}.yaml"));
        let text = SMALL
            .lines()
            .filter(|line| !line.contains("role:") || line.contains(interface))
            .collect::<Vec<_>>()
            .join("\n");
        std::fs::write(&path, text).unwrap();
        let pins = scene.path(&format!("pins-{interface}"));
        let filter = scene.filter_with(
            &path,
            &[],
            &[
                ("OP25B_BPFFS", pins.to_str().unwrap()),
                (
                    "OP25B_RUNTIME_DIR",
                    pins.with_extension("state").to_str().unwrap(),
                ),
            ],
        );
        (filter, Mounted(pins))
    });
    let ((one, _one), (other, _other)) = (one, other);
    scene.assert_blocked(&servers, &one);
    let status = scene.op25b(&["status", "--json"]).json();
    let filters = status["filters"].as_array().unwrap();
    assert_eq!(filters.len(), 2);
    for filter in filters {
        let name = filter["interfaces"][0]["name"].as_str().unwrap();
        let pid = if name == "sub0" { one.pid() } else { other.pid() };
        assert_eq!(filter["pid"], pid);
        let blocked = filter["counters"]["blocked"].as_u64().unwrap();
        assert_eq!(blocked > 0, name == "sub0");
    }
    let explain = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert_eq!(
        explain.refusal(),
        "op25b: several op25b filters are running here (`op25b status` lists them); give `--policy FILE`"
    );
}

#[test]
fn a_filter_in_another_namespace_is_not_listed() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let mut command = std::process::Command::new(crate::support::scene::OP25B);
    command.arg("status");
    let internet = scene.lab.host(Host::Internet);
    command.envs(internet.places());
    let output = internet.run(move || Ok(command.output()?)).unwrap();
    assert_eq!(output.status.code(), Some(3));
}
