//! What a document lacks, which is known once it is read.

use super::{Document, WHOLE};
use crate::policy::{
    diagnostics::{Code, Diagnostic},
    model::Role,
};

impl Document<'_> {
    /// Reports all of it.
    pub(super) fn report_missing(&mut self) {
        self.report_missing_router();
        self.report_missing_keys();
        self.report_empty_lists();
        self.report_missing_subscriber();
    }

    fn report_missing_keys(&mut self) {
        for (key, example) in [
            ("version", "version: 1"),
            ("interfaces", "interfaces: [{ name: eth1, role: subscriber }]"),
            (
                "pools",
                "pools: [{ name: residential, prefixes: [198.51.100.0/24] }]",
            ),
        ] {
            if !self.has(key) && !self.meant.contains(&key) {
                self.context.reporter.report_file(
                    Diagnostic::new(Code::MissingKey, format!("a policy needs the key `{key}`"))
                        .hint(format!("add `{example}`")),
                );
            }
        }
    }

    fn report_empty_lists(&mut self) {
        for (key, span, items) in &self.keys {
            if *items == 0 && !WHOLE.contains(key) {
                let hint = match *key {
                    "relays" | "nat64" | "exemptions" => format!("remove `{key}` if there are none"),
                    _ => format!("list your {key}"),
                };
                self.context.reporter.error(
                    *span,
                    Code::EmptyList,
                    format!("`{key}` is an empty list"),
                    hint,
                );
            }
        }
    }

    fn report_missing_router(&mut self) {
        let Some(prohibit) = self.block.prohibit else {
            return;
        };
        let prefixes = || self.pools.iter().flat_map(|pool| &pool.prefixes);
        let has_v4 = prefixes().any(|prefix| prefix.net.addr().is_ipv4());
        let has_v6 = prefixes().any(|prefix| prefix.net.addr().is_ipv6());
        for (family, has_pools, has_router) in [
            ("IPv4", has_v4, prohibit.router_v4.is_some()),
            ("IPv6", has_v6, prohibit.router_v6.is_some()),
        ] {
            if has_pools && !has_router {
                self.context
                    .reporter
                    .report_word(prohibit.at, Code::NoRouter, || {
                        Diagnostic::new(
                            Code::NoRouter,
                            format!(
                                "`action: prohibit` needs an {family} source address for its ICMP errors"
                            ),
                        )
                        .hint("add an address of this router to `prohibit_from`, such as prohibit_from: [192.0.2.1, 2001:db8::1]")
                    });
            }
        }
    }

    fn report_missing_subscriber(&mut self) {
        let Some((_, span, items)) = self.keys.iter().find(|(key, ..)| *key == "interfaces") else {
            return;
        };
        let is_known = self.interfaces.len() == *items && *items > 0;
        if is_known
            && self
                .interfaces
                .iter()
                .all(|interface| interface.role != Role::Subscriber)
        {
            self.context.reporter.error(
                *span,
                Code::NoSubscriber,
                "no interface has `role: subscriber`",
                "set `role: subscriber` on at least one interface",
            );
        }
    }
}
