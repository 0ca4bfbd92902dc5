//! An exemption ends at its time, without user space.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use nix::sys::signal::Signal;
use op25b_testlab::{
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};

use crate::support::scene::{SMALL, Scene, eventually};

#[test]
fn an_exemption_ends_in_the_kernel_at_its_time_while_the_process_is_stopped() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    // Long enough for a busy machine to start and try, short enough to wait for.
    let expires = Timestamp::now().checked_add(12.seconds()).unwrap();
    let policy = scene.policy(&format!(
        "{SMALL}exemptions:\n  - {{ customer: Example KK, prefixes: [198.51.100.10, '2001:db8:100::10'], expires: {} }}\n",
        expires.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    ));
    let filter = scene.filter(&policy);
    filter.signal(Signal::SIGSTOP).unwrap();
    scene.assert_open(&servers);
    assert_eq!(filter.count("blocked").unwrap(), 0);

    for family in Family::BOTH {
        eventually("the exemption has ended", || {
            let patience = Duration::from_millis(1500);
            Path::DIRECT
                .attempt(&scene.lab, &servers, family, patience)
                .unwrap()
                == Outcome::Silence
        });
    }
    // The kernel keeps the time in whole seconds, and so does the policy above.
    assert!(Timestamp::now().as_second() >= expires.as_second());
    assert!(filter.count("blocked").unwrap() > 0);
    assert!(filter.count("exempt").unwrap() > 0);

    let status = scene.op25b(&["status", "--json"]);
    let exemptions = &status.json()["filters"][0]["exemptions"];
    assert_eq!(
        *exemptions,
        serde_json::json!({ "total": 1, "active": 0, "expired": 1, "as_loaded": true })
    );
    filter.signal(Signal::SIGCONT).unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
