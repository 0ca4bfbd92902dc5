//! `op25b doctor` names the cause of each broken set-up, with the right remedy, and changes nothing.

use op25b::schema::Schema;
use op25b_testlab::ethtool;
use serde_json::Value;

use crate::support::{
    foreign_program::ForeignProgram,
    json::assert_documented,
    scene::{Answer, OP25B, SMALL, Scene},
};

/// Asserts that doctor says this: about which interface, what it examined, how it is, and parts of what was found and what to do.
#[track_caller]
fn assert_said(answer: &Answer, expected: &[&str]) {
    let document = answer.json();
    let lines = document["lines"].as_array().unwrap();
    for row in expected {
        let words: Vec<_> = row.split('|').map(str::trim).collect();
        let [interface, check, result, message, remedy] = words[..] else {
            panic!("{row}");
        };
        let word = |line: &Value, member: &str| line[member].as_str().unwrap_or("-").to_owned();
        let about = |line: &&Value| word(line, "interface") == interface && word(line, "check") == check;
        let about: Vec<_> = lines.iter().filter(about).collect();
        let is_said = |line: &&Value| {
            word(line, "result") == result
                && word(line, "message").contains(message)
                && word(line, "remedy").contains(remedy)
        };
        assert!(about.iter().any(is_said), "{row} in {about:#?}");
    }
}

#[test]
fn each_broken_set_up_is_named_by_its_cause_with_its_remedy_and_nothing_is_changed() {
    let scene = Scene::new();
    machines(&scene);
    enforced(&scene);
    interfaces(&scene);
}

/// The set-ups that a network namespace can have.
fn interfaces(scene: &Scene) {
    scene.ip(&[
        "link add few0 numrxqueues 1 type veth peer name peer0 numtxqueues 2",
        "link set peer0 up",
        "link set few0 up",
        "link add down0 type veth peer name end0",
        "link add br9 type bridge",
        "link add vx0 type vxlan id 5 dstport 4789",
        "tuntap add dev tun9 mode tun",
        "link property add dev sub0 altname customers",
    ]);
    scene.router().run(|| ethtool::set_queues("peer0", 1, 2)).unwrap();
    scene.on_router(
        "sysctl",
        &[
            "-qw",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.sub0.rp_filter=0",
        ],
    );
    scene.on_router("sysctl", &["-qw", "net.ipv4.conf.down0.rp_filter=1"]);
    let _foreign = ForeignProgram::attach(scene.router(), "corp0", true);
    let attached = scene.attached();
    let more = "  - { name: few0, role: subscriber, xdp: native }\n  - { name: down0, role: subscriber }\n  \
         - { name: br9, role: subscriber }\n  - { name: vx0, role: uplink, xdp: native }\n  - { name: tun9, role: uplink }\n  \
         - { name: customers, role: subscriber }\n  - { name: eth9, role: subscriber }\n  \
         - { name: eth8, role: subscriber, wait: true }\npools";
    let policy = scene.policy(&format!(
        "{}block: {{ action: reset }}\n",
        SMALL.replace("pools", more)
    ));
    let policy = policy.to_str().unwrap();

    let doctor = scene.op25b(&["doctor", "--json", "--policy", policy]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert_said(
        &doctor,
        &[
            "sub0 | native | ok | the driver veth runs XDP programs | ",
            "sub0 | offloads | warn | takes the VLAN tag off | `ethtool -K sub0 rxvlan off`",
            "sub0 | reverse-path | warn | not checked by their routes on sub0 | net.ipv4.conf.sub0.rp_filter=1",
            "corp0 | program | fail | someone_elses | `ip link set dev corp0 xdpdrv off`",
            "corp0 | program | fail | loaded by root; held by  | end ",
            "few0 | native | fail | 1 receive and its peer peer0 2 transmit queues | `ethtool -L peer0 tx 1`",
            "down0 | link | warn | it is down | `ip link set dev down0 up`",
            "down0 | reverse-path | ok | checked by their routes | ",
            "br9 | interface | fail | is a bridge | name those of its ports",
            "vx0 | native | fail | the driver vxlan runs no XDP programs | `xdp: generic`",
            "tun9 | interface | fail | carries no Ethernet frames | underlying Ethernet interface",
            "customers | interface | fail | are names of one interface (sub0) | name it once",
            "eth9 | interface | fail | there is no interface eth9 | `ip link` lists ",
            "eth8 | interface | unknown | `wait: true` | ",
            "- | policy | ok | has no errors | ",
        ],
    );
    assert_documented(Schema::Doctor, &doctor.stdout);
    assert_eq!(scene.attached(), attached);

    // The checks of interfaces are those of `check --here`.
    let here = scene.op25b(&["check", "--here", policy]);
    assert!(
        here.stderr
            .contains("warning: few0: it has 1 receive and its peer peer0 2 transmit queues"),
        "{here:?}"
    );
    assert!(!here.stderr.contains("rp_filter"), "{here:?}");
}

/// What `systemctl show` prints for a unit with a drop-in for all services.
const HARDENED: &str = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nDefaultDependencies=no\nUser=op25b\n\
     Before=network-pre.target\nAfter=network-online.target\nCapabilityBoundingSet=cap_bpf cap_net_admin cap_perfmon\n\
     AmbientCapabilities=cap_bpf cap_net_admin cap_perfmon\nProtectKernelTunables=yes\n\
     DropInPaths=/etc/systemd/system/service.d/hardening.conf\n\nLoadState=not-found\n";

/// A secret with which alerts are signed.
const SECRET: &str = "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==";

/// The set-ups of a machine: by namespaces, limits and capabilities of the process, and what no namespace can make by files in the
/// place of those of /proc and /sys, and by another `systemctl`.
fn machines(scene: &Scene) {
    let policy = scene.policy(SMALL);
    let doctor = format!("exec {OP25B} doctor --json --policy {}", policy.display());
    let file = |name: &str, text: &str| {
        std::fs::write(scene.path(name), text).unwrap();
        scene.path(name).display().to_string()
    };
    let meminfo = file("meminfo", "MemTotal:  65536 kB\nMemAvailable:  8192 kB\n");
    let systemctl = file("systemctl", &format!("#!/bin/sh\ncat <<'END'\n{HARDENED}END\n"));
    let pins = scene.path("pins").display().to_string();
    let check = |before: &[&str], script: String, expected: &[&str]| {
        let words = [before, &["sh", "-c", &script]].concat();
        assert_said(&scene.on_router(words[0], &words[1..]), expected);
    };
    let mounts = ["unshare", "--mount"];
    check(
        &["setpriv", "--bounding-set=-bpf,-sys_admin"],
        doctor.clone(),
        &[
            "- | capabilities | fail | CAP_BPF is missing | run op25b as root",
            "- | kernel | unknown | not tried without the capabilities | ",
        ],
    );
    check(
        &["unshare", "--user", "--map-root-user"],
        doctor.clone(),
        &["- | kernel | fail | cannot use XDP programs | in a user namespace"],
    );
    check(
        &["prlimit", "--nofile=64"],
        doctor.clone(),
        &["- | descriptors | fail | may open 64 files | `LimitNOFILE=65536`"],
    );
    check(
        &["env"],
        format!("{doctor}.missing"),
        &["- | policy | fail | cannot read | `--policy FILE`"],
    );
    check(
        &mounts,
        format!("mkdir {pins} && mount -t bpf -o ro bpf {pins} && {doctor} --bpffs {pins}/op25b"),
        &["- | bpffs | fail | mounted read-only | remount,rw"],
    );
    check(
        &mounts,
        format!("{doctor} --bpffs {pins}/op25b"),
        &["- | bpffs | warn | there is no BPF file system | `mount -t bpf bpf /sys/fs/bpf`"],
    );
    // Of these files there is one for all namespaces.
    check(
        &mounts,
        format!("mount --bind {meminfo} /proc/meminfo && {doctor}"),
        &["- | memory | fail | and 8 MiB are available | remember fewer pools"],
    );
    check(
        &mounts,
        format!("mount -t tmpfs none /sys/class && mkdir /sys/class/net && {doctor}"),
        &["- | rtc | warn | no hardware clock | fake-hwclock"],
    );
    let lockdown = "/sys/kernel/security/lockdown";
    check(
        &mounts,
        format!(
            "mount -t tmpfs none /sys/kernel/security && echo 'none integrity [confidentiality]' > {lockdown} && {doctor}"
        ),
        &["- | confinement | warn | locked down (confidentiality) | `lockdown=integrity`"],
    );
    check(
        &["env"],
        format!("chmod +x {systemctl} && PATH=$(dirname {systemctl}):$PATH && {doctor}"),
        &[
            "- | boot-order | warn | starts after network-online.target | hardening.conf",
            "- | sandbox | fail | makes /sys read-only | `ProtectKernelTunables=no`",
            "- | metrics | ok | not enabled | ",
        ],
    );
    services(check, &doctor);
    assert_eq!(scene.attached(), []);
}

/// Services that send to other hosts, in another /etc.
fn services(check: impl Fn(&[&str], String, &[&str]), doctor: &str) {
    let mounts = ["unshare", "--mount"];
    let wants = "/etc/systemd/system/multi-user.target.wants";
    check(
        &mounts,
        format!(
            "mount -t tmpfs none /etc && mkdir /etc/op25b && cd /etc/op25b && echo TO=https://127.0.0.1:9/ > alerts-abuse.conf && \
             echo {SECRET} > alerts-abuse.secret && chmod 644 alerts-abuse.secret && mkdir -p {wants} && \
             ln -s /lib/systemd/system/op25b-alerts@.service {wants}/op25b-alerts@noc.service && {doctor}"
        ),
        &[
            "- | alerts | warn | others than root may read or change the secret | chmod 600 /etc/op25b/alerts-abuse.secret",
            "- | alerts | warn | op25b-alerts@abuse sends to 127.0.0.1:9, and no connection | firewalls",
            "- | alerts | warn | there is no secret in /etc/op25b/alerts-noc.secret | umask 077",
            "- | alerts | warn | op25b-alerts@noc is enabled, and there is no /etc/op25b/alerts-noc.conf | disable --now",
        ],
    );
    check(
        &mounts,
        format!(
            "mount -t tmpfs none /etc && mkdir /etc/op25b && cd /etc/op25b && echo TO=syslog+tcp://127.0.0.1:9 > events-log.conf && \
             echo TO=syslog://127.0.0.1 > events-old.conf && echo TO=ipfix+udp://127.0.0.1:9 > events-flow.conf && mkdir -p {wants} && \
             ln -s /lib/systemd/system/op25b-events@.service {wants}/op25b-events@noc.service && {doctor}"
        ),
        &[
            "- | events | ok | op25b-events@flow.service sends to ipfix+udp://127.0.0.1:9, and nothing shows | ",
            "- | events | warn | op25b-events@log sends to 127.0.0.1:9, and no connection | firewalls",
            "- | events | warn | op25b-events@noc is enabled, and there is no /etc/op25b/events-noc.conf | disable --now",
            "- | events | warn | `TO=` in /etc/op25b/events-old.conf is nothing that events can be forwarded to | or journal",
        ],
    );
}

/// With a filter in force its own program is no obstacle.
fn enforced(scene: &Scene) {
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let doctor = scene.op25b(&["doctor", "--json", "--policy", policy.to_str().unwrap()]);
    assert_said(
        &doctor,
        &[
            "sub0 | program | ok | op25b's filter | ",
            "sub0 | native | ok | runs there in native mode | ",
            "- | memory | ok | besides what the filter holds now | ",
        ],
    );
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}
