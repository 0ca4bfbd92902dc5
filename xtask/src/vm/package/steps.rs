//! What is done to the router, in order.

use std::{thread, time::Duration};

use clap::ValueEnum;

use super::router::{Expected, Router};

/// How many frames at least are sent in a step about the traffic.
const FRAMES: u32 = 2_000;
/// How many at least in each of both upgrades, which are sent in larger bursts.
const UPGRADE_FRAMES: u32 = 50_000;
const UPGRADE_BURST: u32 = 20;
/// How long the service manager may take.
const SOON: Duration = Duration::from_mins(2);
/// How long after a SIGSTOP the watchdog has acted: twice `WatchdogSec=`.
const WATCHDOG: Duration = Duration::from_mins(4);
/// How long an interface is missing after a boot.
const ABSENT: Duration = Duration::from_secs(15);

/// How many SYNs, one every 5 ms, may pass an interface that appears before the filter is attached to it.
const GAP: u32 = 20;

/// How long the last frames of a wire may be on their way to the counters.
const QUIET: Duration = Duration::from_secs(5);

/// Where the policy is.
const POLICY: &str = "/etc/op25b/policy.yaml";
/// Blocks the subscriber who sends.
const ENFORCING: &str = "version: 1
interfaces:
  - { name: sub0, role: subscriber, wait: true }
pools:
  - { name: residential, prefixes: [192.0.2.0/24] }";
/// A key that there is not.
const MISTAKEN: &str = "version: 1
interfaces:
  - { name: sub0, rolle: subscriber }
pools:
  - { name: residential, prefixes: [192.0.2.0/24] }";

/// The daemon's process and how often it was restarted.
const PROCESS: &str = "systemctl show op25b.service --property=MainPID --value";
/// When the interface appeared, came up and got its filter.
const APPEARANCE: &str = "journalctl --boot --output=short-monotonic | grep -w sub0 | tail -n 12";
/// Has an interface stay down until the filter runs on it, as deploy/op25b-up@.service says.
const HOLD_DOWN: &str = "mkdir -p /etc/systemd/network/sub0.network.d
    printf '[Link]\\nActivationPolicy=manual\\n' > /etc/systemd/network/sub0.network.d/op25b.conf
    networkctl reload && systemctl enable op25b-up@sub0.service && systemd-analyze verify --man=no op25b-up@sub0.service";
/// Undoes that.
const LET_UP: &str = "rm -r /etc/systemd/network/sub0.network.d
    networkctl reload && systemctl disable op25b-up@sub0.service";
/// How many packets of the subscriber were blocked.
const COUNT: &str =
    "op25b subscribers --json | tr -d ' \\n' | grep -oE '\"packets\":[0-9]+' | head -n 1 | cut -d: -f2";
/// True once the daemon is up and enforces.
const ENFORCES: &str = "systemctl is-active op25b.service && op25b status";

/// What is done once the package is installed and enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What systemd reports of the unit.
    Unit,
    /// Reloads of a good policy and of one with a mistake.
    Reloads,
    /// The daemon is killed, and stopped until the watchdog acts.
    Faults,
    /// An upgrade to another layout of the maps, and back.
    Upgrades,
    /// Reboots: as it is, with an interface that appears late, and with a mistake in the policy.
    Boots,
    /// Removal and purge.
    Removal,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Unit,
        Self::Reloads,
        Self::Faults,
        Self::Upgrades,
        Self::Boots,
        Self::Removal,
    ];

    fn run(self, router: &mut Router) {
        match self {
            Self::Unit => unit(router),
            Self::Reloads => reloads(router),
            Self::Faults => faults(router),
            Self::Upgrades => upgrades(router),
            Self::Boots => boots(router),
            Self::Removal => removal(router),
        }
    }
}

/// Installs the package, has it enforce, and does the parts.
pub fn run(router: &mut Router, parts: &[Part]) -> anyhow::Result<()> {
    install(router);
    enforce(router)?;
    for part in parts {
        part.run(router);
    }
    Ok(())
}

fn install(router: &mut Router) {
    router.step("before", Expected::Open, FRAMES, |_| Ok(()));
    router.step("install", Expected::Open, FRAMES, |router| {
        let package = router.package(false);
        let text = router.output(&format!("dpkg --install {package} 2>&1"))?;
        print!("{text}");
        router.output("systemctl is-enabled op25b.service && systemctl is-active op25b.service && op25b check /etc/op25b/policy.yaml")?;
        Ok(())
    });
}

/// The first policy names an interface that there is not.
const AS_INSTALLED: [&str; 1] = ["edit-me"];
/// What a policy with a mistake brings about.
const REFUSED: [&str; 5] = [
    "rolle",
    "refused",
    "last good policy",
    "Control process exited",
    "Reload failed",
];
/// What systemd reports of a process that was killed, by the test or by the watchdog.
const KILLED: [&str; 4] = ["killed", "with signal", "atchdog", "Failed with result"];
/// What is reported of an interface that is not there, at the start and at the end of a boot without it.
const ABSENT_NIC: [&str; 3] = ["waiting for it", "missing", "the filter runs on no interface"];

fn enforce(router: &mut Router) -> anyhow::Result<()> {
    journal(router, "installation", &AS_INSTALLED);
    router.write(POLICY, ENFORCING)?;
    router.step("reload: enforce", Expected::Changes, FRAMES, |router| {
        router.output("op25b check --here /etc/op25b/policy.yaml && systemctl reload op25b.service")?;
        router.wait("enforcement", SOON, ENFORCES)
    });
    router.step("enforced", Expected::Enforced, 2 * FRAMES, |_| Ok(()));
    router.check(
        "the filter runs in native mode",
        "ip -d link show sub0 | grep -w prog/xdp && op25b status | grep -E 'sub0.*native'",
    );
    router.check(
        "the subscriber is listed as blocked",
        "op25b subscribers | grep -F 192.0.2.10",
    );
    Ok(())
}

/// `op25b doctor` about the unit: as it is, with a drop-in that has it start late, and disabled.
const DOCTOR: &str = "finds() { op25b doctor --policy /etc/op25b/policy.yaml | tee /var/tmp/doctor | grep -E \"^ +$1 +$2 \"; }
    late=/etc/systemd/system/op25b.service.d
    trap 'rm -rf $late; systemctl daemon-reload; systemctl --quiet enable op25b.service; cat /var/tmp/doctor' EXIT
    finds ok unit && finds ok boot-order && finds ok sandbox || exit
    mkdir -p $late && printf '[Unit]\\nAfter=network-online.target\\n' > $late/late.conf && systemctl daemon-reload
    finds warn boot-order && grep -F $late/late.conf /var/tmp/doctor || exit
    systemctl --quiet disable op25b.service && finds fail unit";

/// What systemd reports of the unit.
fn unit(router: &mut Router) {
    router.check(
        "systemd-analyze verify has no complaint",
        "text=$(systemd-analyze verify --man=no op25b.service op25b-metrics.service op25b-metrics.timer op25b-events@log.service op25b-alerts@abuse.service 2>&1) && echo \"$text\" && test -z \"$text\"",
    );
    router.check(
        "systemd-analyze security finds an exposure of at most 2.5",
        "systemd-analyze security --no-pager --threshold=25 op25b.service",
    );
    router.check("the doctor finds the unit in order, and what breaks it", DOCTOR);
}

/// What the unit has written to the journal above info since the last time: lines without one of the words are not wanted.
fn journal(router: &mut Router, during: &str, words: &[&str]) {
    let unwanted = if words.is_empty() {
        "cat".to_owned()
    } else {
        format!("grep -vE '{}'", words.join("|"))
    };
    router.check(
        &format!("{during}: the journal has only the warnings that it should have"),
        &format!(
            "text=$(journalctl --quiet --unit=op25b.service --priority=notice --output=short-monotonic --cursor-file=/var/tmp/journal)
             echo \"$text\"
             ! echo \"$text\" | grep . | {unwanted} | grep ."
        ),
    );
}

fn reloads(router: &mut Router) {
    router.step("reload: another policy", Expected::Enforced, FRAMES, |router| {
        router.write(
            POLICY,
            &format!("{ENFORCING}\nrelays:\n  - {{ name: smtp, prefixes: [203.0.113.25] }}"),
        )?;
        router.output("systemctl reload op25b.service").map(drop)
    });
    router.step("reload: a mistake", Expected::Enforced, FRAMES, |router| {
        router.write(POLICY, MISTAKEN)?;
        router.refused("systemctl reload op25b.service")?;
        router.output("systemctl is-active op25b.service")?;
        router.write(POLICY, ENFORCING)?;
        router.output("systemctl reload op25b.service").map(drop)
    });
    journal(router, "reloads", &REFUSED);
}

fn faults(router: &mut Router) {
    router.step("kill -9", Expected::Enforced, FRAMES, |router| {
        let before = router.output(PROCESS)?;
        router.output(&format!("kill -9 {before}"))?;
        router.wait("a restart", SOON, &another_process(&before))
    });
    router.step(
        "SIGSTOP until the watchdog acts",
        Expected::Enforced,
        FRAMES,
        |router| {
            let before = router.output(PROCESS)?;
            router.output(&format!("kill -STOP {before}"))?;
            router.wait("a restart", WATCHDOG, &another_process(&before))?;
            router
                .output("journalctl --boot --unit=op25b.service | grep -i 'watchdog timeout'")
                .map(drop)
        },
    );
    journal(router, "crashes", &KILLED);
}

/// True once the daemon is up again as another process.
fn another_process(before: &str) -> String {
    let before = before.trim();
    format!("test \"$({PROCESS})\" != {before} && {ENFORCES}")
}

fn upgrades(router: &mut Router) {
    router.check(
        "the subscriber's record has a count",
        &format!("{COUNT} > /var/tmp/count && cat /var/tmp/count"),
    );
    router.send_at_once(UPGRADE_BURST);
    for (name, newer) in [("upgrade to another layout", true), ("downgrade", false)] {
        router.step(name, Expected::Enforced, UPGRADE_FRAMES, |router| {
            let package = router.package(newer);
            let text = router.output(&format!(
                "dpkg --install --force-downgrade --force-confold {package} 2>&1"
            ))?;
            print!("{text}");
            router.wait("enforcement", SOON, ENFORCES)
        });
    }
    router.send_at_once(1);
    router.check(
        "the subscriber's record goes on where it was before both upgrades",
        &format!("after=$({COUNT}); echo $after; test $after -gt $(cat /var/tmp/count)"),
    );
    journal(router, "upgrades", &[]);
}

fn boots(router: &mut Router) {
    router.step("reboot", Expected::EnforcedOrDown, FRAMES, |router| {
        router.reboot()?;
        router.output(ENFORCES).map(drop)
    });
    seen(router);
    journal(router, "reboot", &[]);
    router.step("after the reboot", Expected::Enforced, FRAMES, |_| Ok(()));
    router.step("reboot without the NIC", Expected::EnforcedOrDown, 0, |router| {
        router.reboot_without_nic()?;
        thread::sleep(ABSENT);
        router.output("systemctl is-active op25b.service").map(drop)
    });
    router.step("the NIC appears 15 s late", Expected::Gap(GAP), 0, plug_in);
    router.step("once the filter runs on it", Expected::Enforced, FRAMES, |_| {
        Ok(())
    });
    router.check(
        "the unit sets interfaces up that the network manager leaves down",
        HOLD_DOWN,
    );
    router.step(
        "the NIC is plugged in, and set up once it is filtered",
        Expected::EnforcedOrDown,
        FRAMES,
        |router| {
            router.remove_nic()?;
            plug_in(router)
        },
    );
    router.check("the network manager sets the interface up again", LET_UP);
    journal(router, "late interface", &ABSENT_NIC);
    router.step(
        "reboot with a mistake in the policy",
        Expected::EnforcedOrDown,
        FRAMES,
        |router| {
            router.write(POLICY, MISTAKEN)?;
            router.reboot()?;
            router.output("systemctl is-active op25b.service").map(drop)
        },
    );
    seen(router);
    router.step("after that reboot", Expected::Enforced, FRAMES, |_| Ok(()));
    journal(router, "reboot with a mistake", &REFUSED);
    router.check(
        "the status names the policy that was refused",
        "op25b status; op25b status | grep -q policy_refused",
    );
}

/// Has the subscribers' interface appear.
fn plug_in(router: &mut Router) -> anyhow::Result<()> {
    router.add_nic()?;
    router.wait("enforcement", SOON, ENFORCES)?;
    print!("{}", router.output(APPEARANCE)?);
    Ok(())
}

/// Every frame that the NIC has delivered since the boot was seen by the filter.
fn seen(router: &mut Router) {
    // Both counters are of one moment only while nothing comes in.
    router.send_at_once(0);
    thread::sleep(QUIET);
    router.check(
        "no frame got past the NIC before the filter was attached",
        "all=$(cat /sys/class/net/sub0/statistics/rx_packets)
         xdp=$(ethtool -S sub0 | awk '/rx(_queue_)?[0-9]+_xdp_packets:/ { xdp += $2 } END { print xdp + 0 }')
         echo $all delivered, $xdp of them to the filter; test $xdp -eq $all -a $all -gt 0",
    );
    router.send_at_once(1);
}

fn removal(router: &mut Router) {
    router.step("remove", Expected::Enforced, FRAMES, |router| {
        let text = router.output("dpkg --remove op25b 2>&1")?;
        print!("{text}");
        anyhow::ensure!(
            text.contains("in force"),
            "the removal does not say what it leaves behind: {text}"
        );
        router.refused("systemctl is-active op25b.service").map(drop)
    });
    router.step("purge", Expected::Changes, FRAMES, |router| {
        let text = router.output("dpkg --purge op25b 2>&1")?;
        print!("{text}");
        anyhow::ensure!(
            text.contains("detach"),
            "the purge does not say what it does: {text}"
        );
        Ok(())
    });
    router.step("after the purge", Expected::Open, FRAMES, |_| Ok(()));
    router.check(
        "nothing is left behind",
        "ls -d /etc/op25b /var/lib/op25b /sys/fs/bpf/op25b /run/op25b 2>/dev/null; test ! -e /etc/op25b -a ! -e /var/lib/op25b -a ! -e /sys/fs/bpf/op25b",
    );
}
