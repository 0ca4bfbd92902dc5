//! The measured configurations: each takes other branches of the program, as the verifier knows the globals.

use op25b::datapath::{LoadOptions, LogLevel};

/// A policy's settings, and options of the loader.
pub struct Configuration {
    pub name: &'static str,
    interface: &'static str,
    block: &'static str,
    /// The rest of the policy.
    more: &'static str,
    pub options: LoadOptions,
}

const DIAGNOSTICS: LoadOptions = LoadOptions {
    log: LogLevel::Debug,
    trace: true,
};
const NONE: LoadOptions = LoadOptions {
    log: LogLevel::Off,
    trace: false,
};

/// The log of packets, which is written to where events are.
const LOG: LoadOptions = LoadOptions {
    log: LogLevel::Debug,
    trace: false,
};

/// What counts exempt packets as well.
const EVENTS: &str = "events: { exempt: true }\nalerts: { exempt_syns_per_minute: 600 }\n";
const ROUTERS: &str = "action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1']";
const TUNNELS: &str = ", tunnels: [4in6, 6in4, 4in4, 6in6, gre, eogre, l2tp], mpls: true";
const EVERYTHING: &str = "ports: [25, 26, 27, 28, 1025, 2525, 10025, 65535], match: new, uninspectable: drop, \
     unlisted: drop, inbound: block, action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'], vlan_tpids: [0x9200]";

pub fn all() -> Vec<Configuration> {
    let plain = |name, block| Configuration {
        name,
        interface: "",
        block,
        more: "",
        options: NONE,
    };
    vec![
        plain("drop", ""),
        plain(
            "match new, uninspectable and unlisted drop",
            "match: new, uninspectable: drop, unlisted: drop",
        ),
        Configuration {
            more: EVENTS,
            ..plain("drop, with events", "")
        },
        plain("reset", "action: reset"),
        plain("reset, at a rate", "action: reset, reset_rate: 1000"),
        plain("prohibit", ROUTERS),
        Configuration {
            interface: TUNNELS,
            ..plain("prohibit, all tunnels", ROUTERS)
        },
        Configuration {
            interface: TUNNELS,
            ..plain("everything at once", EVERYTHING)
        },
        Configuration {
            interface: TUNNELS,
            more: EVENTS,
            ..plain("everything at once, with events", EVERYTHING)
        },
        Configuration {
            interface: TUNNELS,
            more: EVENTS,
            options: LOG,
            ..plain("everything at once, with events and log", EVERYTHING)
        },
        Configuration {
            options: DIAGNOSTICS,
            ..plain("drop, with diagnostics", "")
        },
        Configuration {
            interface: TUNNELS,
            options: DIAGNOSTICS,
            ..plain("everything at once, with diagnostics", EVERYTHING)
        },
    ]
}

impl Configuration {
    /// As a policy's text.
    pub fn policy(&self) -> String {
        format!(
            "version: 1\n\
             interfaces:\n  \
               - {{ name: eth1, role: subscriber{} }}\n  \
               - {{ name: eth0, role: uplink }}\n\
             block: {{ {} }}\n\
             pools:\n  \
               - {{ name: residential, prefixes: [198.51.100.0/22, '2001:db8:100::/40'] }}\n{}",
            self.interface, self.block, self.more
        )
    }
}
