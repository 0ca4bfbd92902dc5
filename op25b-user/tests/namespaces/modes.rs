//! `xdp: native`, `generic` and `auto`, on drivers with and without native XDP.

use op25b_testlab::lab::{Family, Servers};
use op25b_testlab::{mail::Outcome, traffic::Path};

use crate::support::scene::{SMALL, Scene};

/// The router's addresses on a macvlan device above the subscriber's port: its kind has no native XDP.
const MACVLAN: [&str; 6] = [
    "link add mac0 link sub0 type macvlan mode passthru",
    "link set mac0 up",
    "addr flush dev sub0",
    "addr add 198.51.100.1/25 dev mac0",
    "addr add 2001:db8:100::1/64 dev mac0 nodad",
    "-6 route flush dev sub0",
];

fn only(interface: &str, xdp: &str) -> String {
    SMALL
        .replace("\n  - { name: corp0, role: subscriber }", "")
        .replace(
            "sub0, role: subscriber",
            &format!("{interface}, role: subscriber, xdp: {xdp}"),
        )
}

#[test]
fn generic_blocks_where_native_would_have_been_possible() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(&only("sub0", "generic")));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "generic")]);
    assert!(!filter.log().contains("WARN"), "{}", filter.log());
    scene.assert_blocked(&servers, &filter);
    let (submission, _) = Path::ALL[1];
    let outcome = scene.attempt(&servers, submission, Family::V6);
    assert_eq!(outcome, Outcome::Works);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    scene.assert_open(&servers);
}

#[test]
fn auto_falls_back_to_generic_with_one_warning_above_another_interface_and_blocks_there() {
    let scene = Scene::new();
    scene.ip(&MACVLAN);
    let servers = Servers::start(&scene.lab).unwrap();
    scene.assert_open(&servers);
    let filter = scene.filter(&scene.policy(&only("mac0", "auto")));
    assert_eq!(scene.modes(), [("mac0".to_owned(), "generic")]);
    let log = filter.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("\"WARN\"")).collect();
    let [warning] = warnings.as_slice() else {
        panic!("{log}")
    };
    assert!(
        warning.contains("mac0") && warning.contains("the filter runs in generic mode"),
        "{warning}"
    );
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn auto_takes_native_without_a_word_where_it_can() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&only("sub0", "auto")));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
    assert!(!filter.log().contains("WARN"), "{}", filter.log());
}

#[test]
fn drivers_without_native_xdp_are_refused_as_native_with_a_hint_and_taken_as_auto() {
    let scene = Scene::new();
    let no_support = "(driver vxlan, Operation not supported (os error 95)); `xdp: generic` works with every driver, slower";
    let macvlan = "interface t-macvlan is a macvlan device, which has no native mode; name corp0, the interface below it, \
         to filter all that corp0 carries in native mode, or set `xdp: generic`, which is several times slower";
    for (name, kind, hint) in [
        ("t-vxlan", "type vxlan id 5 dstport 4789", no_support),
        ("t-macvlan", "link corp0 type macvlan", macvlan),
    ] {
        scene.ip(&[&format!("link add {name} {kind}")]);
        let policy = scene.policy(&only(name, "native"));
        let filter = scene.filter(&policy);
        assert!(filter.log().contains(hint), "{}", filter.log());
        assert_eq!(scene.attached(), []);
        assert_eq!(filter.stop().unwrap().code(), Some(0));

        let filter = scene.filter(&scene.policy(&only(name, "auto")));
        assert_eq!(scene.modes(), [(name.to_owned(), "generic")]);
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}
