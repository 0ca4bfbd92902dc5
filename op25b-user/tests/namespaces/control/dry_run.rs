//! `op25b reload --dry-run`: who would become blocked or free, and what of this host's interfaces is in the way.

use op25b_testlab::{
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};
use serde_json::Value;

use crate::support::scene::{SMALL, Scene};

const CUSTOMER: &str = "exemptions: [{ id: kk, customer: Example KK, prefixes: [198.51.100.64/29] }]\n";

#[test]
fn a_dry_run_names_who_becomes_blocked_the_interfaces_that_go_bare_and_those_that_are_not_ready() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let monitored = SMALL.replace("/40] }]", "/40], mode: monitor }]");
    let _filter = scene.filter(&scene.policy(&format!("{monitored}{CUSTOMER}")));
    let before = scene.attached();
    assert_eq!(scene.attempt(&servers, Path::DIRECT, Family::V4), Outcome::Works);

    // It is enforced, the customer's exemption ends, and other interfaces are named.
    scene.ip(&["link add dn0 type veth peer name dn1"]);
    let interfaces =
        "  - { name: dn0, role: subscriber }\n  - { name: later0, role: subscriber, wait: true }\n";
    scene.policy(&SMALL.replace("  - { name: corp0, role: subscriber }\n", interfaces));
    let dry = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    for warning in [
        "op25b: interface corp0 goes bare: the policy names it no longer, and no filter runs there after this\n",
        "op25b: dn0: it is down: no packet arrives there until it is up: `ip link set dev dn0 up`\n",
        "op25b: later0: there is no such interface now: it is filtered as soon as there is one (`wait: true`)\n",
    ] {
        assert!(dry.stderr.contains(warning), "{warning} in {dry:?}");
    }
    for line in [
        "\nimpact (1 subscriber has attempts recorded since ",
        "\n  2 become blocked (by pool: residential 2)\n",
        "\n    Example KK, 198.51.100.64/29 (exemption kk): exempt -> blocked\n",
        "\n    198.51.100.10: monitored -> blocked, last attempt 20",
    ] {
        assert!(dry.stdout.contains(line), "{line} in {dry:?}");
    }
    assert_eq!(scene.attached(), before);

    let document = scene.op25b(&["reload", "--dry-run", "--json"]).json();
    assert_eq!(document["result"], "would_reload");
    let impact = &document["impact"];
    assert_eq!(impact["becomes_free"], Value::Array(Vec::new()));
    let blocked = impact["becomes_blocked"].as_array().unwrap();
    assert_eq!(
        (&blocked[0]["customer"], &blocked[1]["who"][0]),
        (&"Example KK".into(), &"198.51.100.10".into())
    );
    assert_eq!(impact["by_pool"][0]["becomes_blocked"], 2);
    let recent = scene.op25b(&["reload", "--dry-run", "--since", "1h"]);
    assert!(recent.stdout.contains("198.51.100.10: monitored"), "{recent:?}");
    let pointless = scene.op25b(&["reload", "--since", "1h"]);
    assert!(
        pointless.code == Some(2) && pointless.stderr.contains("--dry-run"),
        "{pointless:?}"
    );

    // What a reload does, it says, too.
    let done = scene.op25b(&["reload"]);
    assert!(done.stderr.contains("interface corp0 goes bare"), "{done:?}");
    // And back: who was blocked becomes free.
    scene.policy(&format!("{monitored}{CUSTOMER}"));
    let back = scene.op25b(&["reload", "--dry-run"]);
    assert!(
        back.stdout
            .contains("\n  2 become free (by pool: residential 2)\n"),
        "{back:?}"
    );
}
