//! `op25b status`: what the kernel enforces on this machine.

use nix::sys::signal::Signal;
use op25b::schema::Schema;
use op25b_testlab::lab::{Host, Servers};
use serde_json::{Value, json};

use crate::support::{
    foreign_program,
    json::assert_documented,
    scene::{Mounted, SMALL, Scene, lab_policy},
};

#[test]
fn without_a_filter_it_exits_with_3_and_prints_so() {
    let scene = Scene::new();
    let text = scene.op25b(&["status"]);
    assert_eq!(text.code, Some(3));
    let nothing = "NOT enforcing: no op25b filter is running on the interfaces of this network namespace";
    assert_eq!(text.stdout, format!("{nothing}\n"));
    assert_eq!(text.stderr, "");
    let json = scene.op25b(&["status", "--json"]);
    assert_eq!(json.code, Some(3));
    let json = json.json();
    assert_eq!(
        (&json["schema"], &json["state"]),
        (&json!("op25b.status/1"), &json!("open"))
    );
    assert_eq!((&json["daemon"], &json["filters"]), (&json!(null), &json!([])));
    let check = scene.op25b(&["status", "--check"]);
    assert_eq!(check.code, Some(2));
    assert_eq!(
        check.stdout,
        format!("OP25B CRITICAL - {nothing}|interfaces=0;;0:;0;0 faults=0;0;;0\n")
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
    assert_documented(Schema::Status, &answer.stdout);
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
        json!([{
            "name": "residential", "mode": "enforce", "prefixes": 2, "remembered": true, "enforce_from": null,
            "phases": [],
            "wanted": { "mode": "enforce", "until": null }, "actual": { "mode": "enforce", "until": null }
        }])
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

/// What stands in `line` before the first date.
fn until_a_date(line: &str) -> &str {
    let is_date = |word: &str| word.parse::<jiff::civil::Date>().is_ok();
    let dates = line.split(' ').find(|word| is_date(word));
    let at = dates.and_then(|date| line.find(date));
    at.map_or(line, |at| line[..at].trim_end())
}

#[test]
fn text_shows_the_same_as_json() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let (_, _, program) = scene.attached()[0];
    let answer = scene.op25b(&["status"]);
    assert_eq!(answer.code, Some(0));
    // How much it is depends on the policy's tables and on the processors, and that of the history on when it began; times are not known
    // here.
    let lines: Vec<_> = answer
        .stdout
        .lines()
        .map(until_a_date)
        .filter(|line| !line.starts_with("  memory") && !line.starts_with("  history"))
        .collect();
    let daemon = format!(
        "  daemon      process {} (op25b {})",
        filter.pid(),
        env!("CARGO_PKG_VERSION")
    );
    let file = format!("  policy      {}", policy.display());
    let interface = |name| format!("  {name:<9}  subscriber  auto    native  {program:<7} ");
    let (sub0, corp0) = (interface("sub0"), interface("corp0"));
    assert_eq!(
        lines,
        [
            "enforcing on 2 interfaces",
            &daemon,
            &file,
            "  loaded     ",
            "  file        is what is enforced",
            "  interface  role        wanted  actual  program  since",
            &sub0,
            &corp0,
            "  pool         wanted   actual   prefixes",
            "  residential  enforce  enforce  2",
            "  relays      0",
            "  exemptions  0 (0 active, 0 expired)",
            "  reason                packets",
            "  uninspectable               0",
            "  not_pooled                  0",
            "  relay                       0",
            "  exempt                      0",
            "  established                 0",
            "  monitored                   0",
            "  blocked                     0",
        ]
        .map(str::trim_end)
    );
    let document = scene.op25b(&["status", "--json"]).json();
    assert_eq!(document, scene.daemon_report());
    assert_eq!(document["loaded_by"]["what"], "start");
    assert_eq!(document["file"]["state"], "same");
    for interface in document["interfaces"].as_array().unwrap() {
        assert!(
            interface["since"].as_str().unwrap().starts_with("20"),
            "{interface}"
        );
    }
}

/// An interface that may be missing and is, and a pool whose date lies ahead.
const LATE: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber, xdp: native }
  - { name: late0, role: subscriber, wait: true }
pools:
  - { name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: mobile, prefixes: [203.0.113.0/25], enforce_from: 2099-01-01 }
";

/// The names of a document's members.
fn members(document: &Value) -> Vec<&String> {
    document.as_object().unwrap().keys().collect()
}

#[test]
fn what_has_no_filter_is_shown_beside_what_has_with_the_reason_and_a_code_of_its_own() {
    let scene = Scene::new();
    let policy = scene.policy(LATE);
    let filter = scene.filter(&policy);
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    let text = scene.op25b(&["status"]);
    assert_eq!(text.code, Some(4), "{text:?}");
    let text = text.stdout;
    assert!(
        text.starts_with("PARTLY enforcing: late0 has no filter\n"),
        "{text}"
    );
    let late0 = "  late0      subscriber  auto    MISSING  -        -\n    wait: true; ";
    assert!(text.contains(late0), "{text}");
    assert!(
        text.contains("  corp0      subscriber  native  native   "),
        "{text}"
    );
    assert!(text.contains("\n  residential  enforce "), "{text}");
    assert!(text.contains("\n  mobile       monitor until 20"), "{text}");
    assert!(text.contains(" (reload by root (uid 0))\n"), "{text}");
    assert!(text.lines().count() <= 40, "{text}");
    let brief = scene.op25b(&["status", "-br"]);
    assert_eq!(brief.code, Some(4), "{brief:?}");
    let states: Vec<_> = brief
        .stdout
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(states, ["sub0 ENFORCED", "corp0 ENFORCED", "late0 MISSING"]);
    let check = scene.op25b(&["status", "--check"]);
    assert_eq!(check.code, Some(2), "{check:?}");
    let critical =
        "OP25B CRITICAL - PARTLY enforcing: late0 has no filter|interfaces=2;;3:;0;3 pools_enforced=1;;;0;2 ";
    assert!(check.stdout.starts_with(critical), "{check:?}");
    let with_daemon = scene.op25b(&["status", "--json"]).json();
    assert_eq!(
        with_daemon["pools"][1]["actual"]["until"],
        with_daemon["pools"][1]["enforce_from"]
    );

    // What is in the file now is not what is enforced, nor would it be.
    scene.policy(&LATE.replace("2099-01-01", "2099-01-02"));
    let file = || scene.op25b(&["status", "--json"]).json()["file"].clone();
    assert_eq!(file()["state"], "differs");
    scene.policy("version: 2\n");
    assert_eq!(file()["state"], "invalid");
    assert_eq!(scene.op25b(&["reload"]).code, Some(1));
    let text = scene.op25b(&["status"]).stdout;
    assert!(
        text.contains("\n  file        DIFFERS from what is enforced, and would be REFUSED: "),
        "{text}"
    );
    assert!(text.contains("\n  reload      REFUSED at 20"), "{text}");
    let newest = &scene.daemon_report()["warnings"][0];
    assert_eq!(
        (&newest["level"], &newest["times"]),
        (&json!("error"), &json!(1)),
        "{newest}"
    );

    // Without a daemon the kernel says the same, and goes on to say it when others take the filter away.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let alone = scene.op25b(&["status", "--json"]);
    assert_eq!(alone.code, Some(4), "{alone:?}");
    let alone = alone.json();
    assert_eq!(members(&alone), members(&with_daemon));
    assert_eq!(alone["pools"], with_daemon["pools"]);
    assert_eq!(alone["loaded_by"], with_daemon["loaded_by"]);
    assert_eq!(
        (&alone["file"]["state"], &alone["reloads"]),
        (&json!("invalid"), &json!(null))
    );
    assert_eq!(
        alone["interfaces"][0]["since"],
        with_daemon["interfaces"][0]["since"]
    );
    // The kernel keeps `ip` from it, and not who has the link.
    let refused = scene.on_router("ip", &["link", "set", "corp0", "xdp", "off"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let [(_, pins), ..] = scene.router().places();
    foreign_program::detach(&pins.join("links/corp0"));
    let text = scene.op25b(&["status"]);
    assert_eq!(text.code, Some(4), "{text:?}");
    let headline = "PARTLY enforcing: corp0 and late0 have no filter, and no daemon runs\n";
    assert!(text.stdout.starts_with(headline), "{text:?}");
    let corp0 = "  corp0      subscriber  native  NONE     -        -\n    no XDP program runs there\n";
    assert!(text.stdout.contains(corp0), "{text:?}");
    foreign_program::detach(&pins.join("links/sub0"));
    let text = scene.op25b(&["status"]);
    assert_eq!(text.code, Some(3), "{text:?}");
    let headline = "NOT enforcing: sub0, corp0 and late0 have no filter, and no daemon runs\n";
    assert!(text.stdout.starts_with(headline), "{text:?}");
    assert!(
        text.stdout
            .contains(&format!("  policy      {}\n", policy.display())),
        "{text:?}"
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
    // Each interface is explained by its own filter.
    assert_eq!(explain.code, Some(0), "{explain:?}");
    for interface in ["sub0", "corp0"] {
        let file = scene.path(&format!("{interface}.yaml"));
        let explain = scene.op25b(&[
            "explain",
            "--src",
            "198.51.100.10",
            "--interface",
            interface,
            "--json",
        ]);
        let explained = explain.json();
        assert_eq!(explained["reason"], "blocked");
        assert_eq!(explained["rule"]["file"], file.to_str().unwrap());
    }
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
