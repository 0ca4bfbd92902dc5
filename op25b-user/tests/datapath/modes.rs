//! Changing from generic to native mode while the filter runs.

use std::process::Command;

use nix::mount::{MntFlags, umount2};
use op25b::{
    datapath::{Enforced, Filter, Interfaces, LoadOptions, Need, Pins, Target},
    policy::{Role, XdpMode},
};
use op25b_testlab::ethtool;
use tempfile::TempDir;

use crate::support::{in_a_namespace, parse, prepared, world::POOLS};

/// The filter on an interface whose driver refuses native mode for as long as it has fewer receive queues than its peer has
/// transmit queues.
struct Attached {
    enforced: Enforced,
    target: Target,
    place: TempDir,
}

impl Attached {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        let add = "link add few0 numrxqueues 1 type veth peer name peer0 numtxqueues 2";
        let add = Command::new("ip").args(add.split(' ')).status().unwrap();
        assert!(add.success());
        ethtool::set_queues("peer0", 1, 2).unwrap();
        let target = Target {
            interface: "few0".to_owned(),
            role: Role::Subscriber,
            xdp: XdpMode::Auto,
            need: Need::Required,
        };
        let (compiled, description) = prepared(&parse(POOLS));
        let filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
        let mut enforced = Enforced::new(Pins::take(&place.path().join("pins")).unwrap());
        let interfaces = Interfaces::list().unwrap();
        enforced
            .replace(filter, &interfaces, std::slice::from_ref(&target))
            .unwrap();
        Self {
            enforced,
            target,
            place,
        }
    }

    fn try_native(&mut self) -> bool {
        let interfaces = Interfaces::list().unwrap();
        let interface = interfaces.named("few0").unwrap();
        self.enforced.try_native(interface, &self.target).unwrap()
    }

    /// The modes of what runs on the interface, and what is pinned.
    fn state(&self) -> (Vec<&'static str>, Vec<String>) {
        let interfaces = Interfaces::list().unwrap();
        let programs = interfaces.named("few0").unwrap().xdp.iter();
        let entries = std::fs::read_dir(self.place.path().join("pins/links")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        (programs.map(|program| program.mode).collect(), names.collect())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = umount2(&self.place.path().join("pins"), MntFlags::MNT_DETACH);
    }
}

fn state(mode: &'static str) -> (Vec<&'static str>, Vec<String>) {
    (vec![mode], vec!["few0".to_owned()])
}

#[test]
fn native_mode_that_is_refused_again_leaves_the_filter_in_generic_mode_and_pinned() {
    in_a_namespace(|| {
        let mut attached = Attached::new();
        assert_eq!(attached.state(), state("generic"));
        assert!(!attached.try_native());
        assert_eq!(attached.state(), state("generic"));
        assert_eq!(attached.enforced.fell_back().count(), 1);

        ethtool::set_queues("peer0", 1, 1).unwrap();
        assert!(attached.try_native());
        assert_eq!(attached.state(), state("native"));
        assert_eq!(attached.enforced.fell_back().count(), 0);
    });
}
