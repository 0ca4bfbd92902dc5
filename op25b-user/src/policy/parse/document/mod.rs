//! Reads a whole policy document.

mod list_names;
mod missing;

use std::{borrow::Cow, mem};

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

pub(crate) use self::list_names::list_names;
use super::{
    keys::{alerts, block, events, history, interface, limits, metrics, nat64, privacy, subscribers},
    lists::{ListFiles, ListTexts, Loading, Members},
    rules::{self, Listed, Taken},
    values::{Context, Named, Seen, duplicate_key, known_key},
    yaml::{self, Items, Located, Node, Reading},
};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Report, Span, lint},
    model::{
        Alerts, Block, Events, Exemption, ExemptionLimits, History, Interface, MetricsServer, Nat64,
        Nat64Prefix, Policy, Pool, Privacy, Relay,
    },
};

pub(super) const KEYS: &[&str] = &[
    "version",
    "interfaces",
    "block",
    "subscribers",
    "history",
    "events",
    "alerts",
    "pools",
    "relays",
    "nat64",
    "privacy",
    "exemptions",
    EXEMPTIONS_FROM,
    "exemption_max_age",
    "exemption_widest",
    "metrics",
];

const EXEMPTIONS_FROM: &str = "exemptions_from";

/// The keys whose value is not a list, or a short one: it is read as a whole.
const WHOLE: &[&str] = &[
    "version",
    "block",
    "subscribers",
    "privacy",
    "history",
    "events",
    "alerts",
    EXEMPTIONS_FROM,
    "exemption_max_age",
    "exemption_widest",
    "metrics",
];

/// The only version of the policy format.
const VERSION: u64 = 1;

/// A policy that can be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The warnings about it.
    pub warnings: Report,
}

/// Reads a policy as of an instant and a time zone.
pub(crate) fn read(
    file: &str,
    text: &str,
    lists: &mut dyn ListFiles,
    now: Timestamp,
    time_zone: &TimeZone,
) -> Result<Loaded, Report> {
    let mut document = Document::new(Context::new(file, text, now, time_zone.clone()));
    let read = yaml::read(text, &mut document);
    // Also those of a policy with errors: a change of any of them is a change of the policy.
    let texts = ListTexts::read(document.context.lists.names(), lists);
    match read {
        Ok(()) => document.finish(&texts),
        Err(diagnostic) => {
            let mut reporter = document.context.reporter;
            reporter.report_file(diagnostic);
            Err(reporter.finish())
        }
    }
}

/// How the value of a key is read.
fn reading(key: &str) -> Reading {
    if WHOLE.contains(&key) {
        Reading::Whole
    } else {
        Reading::ItemByItem
    }
}

/// The document as far as it is read.
struct Document<'t> {
    context: Context<'t>,
    /// The keys met so far, with the number of their items.
    keys: Vec<(&'static str, Span, usize)>,
    /// Known keys for which an unknown one is probably a misspelling.
    meant: Vec<&'static str>,
    is_mapping: bool,

    interfaces: Vec<Interface>,
    block: Block,
    subscribers: subscribers::Written<'t>,
    history: Option<History>,
    events: Option<Events>,
    alerts: Option<Alerts>,
    pools: Vec<Pool>,
    relays: Vec<Relay>,
    nat64: Vec<Nat64Prefix>,
    privacy: Privacy,
    exemptions: Vec<Exemption>,
    limits: ExemptionLimits,
    metrics: Option<MetricsServer>,

    pool_lists: Vec<Members>,
    relay_lists: Vec<Members>,
    exemption_lists: Vec<Named>,

    interface_names: Seen<String>,
    pools_taken: Taken,
    relays_taken: Taken,
    nat64_taken: Seen<IpNet>,
    exemption_ids: Seen<Cow<'t, str>>,
}

impl<'t> Items<'t> for Document<'t> {
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading {
        let name = match known_key(&mut self.context, "a policy", KEYS, key) {
            Ok(name) => name,
            Err(meant) => {
                self.meant.extend(meant);
                return Reading::NotAtAll;
            }
        };
        if self.has(name) {
            duplicate_key(&mut self.context, name, key.span);
            return Reading::NotAtAll;
        }
        self.keys.push((name, key.span, 0));
        reading(name)
    }

    fn value(&mut self, value: Located<Node<'t>>) {
        match self.current() {
            "version" => self.version(&value),
            "subscribers" => {
                if let Some(written) = subscribers::subscribers(&mut self.context, value) {
                    self.subscribers = written;
                }
            }
            "privacy" => {
                if let Some(privacy) = privacy::privacy(&mut self.context, value) {
                    self.privacy = privacy;
                }
            }
            "history" => self.history = history::history(&mut self.context, value),
            "alerts" => self.alerts = alerts::alerts(&mut self.context, value),
            "events" => self.events = events::events(&mut self.context, value),
            "metrics" => self.metrics = metrics::metrics(&mut self.context, value),
            EXEMPTIONS_FROM => {
                self.exemption_lists = self.context.named_lists(EXEMPTIONS_FROM, value);
            }
            "exemption_max_age" => self.limits.max_age = limits::max_age(&mut self.context, value),
            "exemption_widest" => limits::widest(&mut self.context, value, &mut self.limits),
            _ => {
                if let Some(block) = block::block(&mut self.context, value) {
                    self.block = block;
                }
            }
        }
    }

    fn item(&mut self, item: Located<Node<'t>>) {
        if let Some((_, _, items)) = self.keys.last_mut() {
            *items += 1;
        }
        let context = &mut self.context;
        match self.keys.last().map_or("", |(name, ..)| *name) {
            "interfaces" => {
                self.interfaces
                    .extend(interface::interface(context, item, &mut self.interface_names));
            }
            "pools" => {
                let pool = rules::pool(context, item, &mut self.pools_taken);
                add(pool, &mut self.pools, &mut self.pool_lists);
            }
            "relays" => {
                let relay = rules::relay(context, item, &mut self.relays_taken);
                add(relay, &mut self.relays, &mut self.relay_lists);
            }
            "nat64" => {
                let prefix = nat64::prefix(context, item, &self.nat64, &mut self.nat64_taken);
                self.nat64.extend(prefix);
            }
            _ => self
                .exemptions
                .extend(rules::exemption(context, item, &mut self.exemption_ids)),
        }
    }

    fn not_a_list(&mut self, found: &Node<'_>) {
        if let Some((name, span, items)) = self.keys.last_mut() {
            // Reported here, so not reported as an empty list as well.
            *items += 1;
            let items = if *name == "nat64" { "IPv6 prefixes" } else { *name };
            self.context
                .wrong_type(*span, name, &format!("a list of {items}"), found);
        }
    }

    fn not_a_mapping(&mut self, found: &Node<'_>) {
        self.is_mapping = false;
        let diagnostic = match found {
            Node::Null => Diagnostic::new(Code::EmptyFile, "the file is empty"),
            found => Diagnostic::new(
                Code::WrongType,
                format!(
                    "a policy must be a mapping of keys to values, not {}",
                    found.kind()
                ),
            ),
        };
        let hint = "begin with `version: 1`; policies/reference.yaml shows every key";
        self.context.reporter.report_file(diagnostic.hint(hint));
    }
}

/// Adds a pool or relay, and notes its lists.
fn add<T>(listed: Option<Listed<T>>, rules: &mut Vec<T>, members: &mut Vec<Members>) {
    if let Some(Listed { rule, owner, lists }) = listed {
        members.push(Members {
            rule: rules.len(),
            owner,
            lists,
        });
        rules.push(rule);
    }
}

impl<'t> Document<'t> {
    fn new(context: Context<'t>) -> Self {
        Self {
            context,
            keys: Vec::new(),
            meant: Vec::new(),
            is_mapping: true,
            interfaces: Vec::new(),
            block: Block::default(),
            subscribers: subscribers::Written::default(),
            history: Some(History::default()),
            events: None,
            alerts: None,
            pools: Vec::new(),
            relays: Vec::new(),
            nat64: Vec::new(),
            privacy: Privacy::default(),
            exemptions: Vec::new(),
            limits: ExemptionLimits::default(),
            metrics: None,
            pool_lists: Vec::new(),
            relay_lists: Vec::new(),
            exemption_lists: Vec::new(),
            interface_names: Seen::default(),
            pools_taken: Taken::default(),
            relays_taken: Taken::default(),
            nat64_taken: Seen::default(),
            exemption_ids: Seen::default(),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, ..)| *name == key)
    }

    fn current(&self) -> &'static str {
        self.keys.last().map_or("", |(name, ..)| *name)
    }

    fn version(&mut self, value: &Located<Node<'t>>) {
        match &value.value {
            Node::Integer(VERSION) => {}
            Node::Integer(other) => {
                let message = format!(
                    "version {other} of the policy format is not supported: this op25b reads version {VERSION}"
                );
                self.context.reporter.error(
                    value.span,
                    Code::Version,
                    message,
                    format!("write `version: {VERSION}`"),
                );
            }
            found => self
                .context
                .wrong_type(value.span, "version", &format!("the number {VERSION}"), found),
        }
    }

    /// Checks what can be checked only after everything is read.
    fn finish(mut self, texts: &'t ListTexts) -> Result<Loaded, Report> {
        let mut loading = Loading::new(&mut self.context, texts);
        loading.pools(
            &mut self.pools,
            &mut self.pools_taken,
            mem::take(&mut self.pool_lists),
        );
        loading.relays(
            &mut self.relays,
            &mut self.relays_taken,
            mem::take(&mut self.relay_lists),
        );
        loading.exemptions(&mut self.exemptions, mem::take(&mut self.exemption_lists));
        let lists = loading.finish();
        if self.is_mapping {
            self.report_missing();
        }
        let listed = self.keys.iter().find(|(key, ..)| *key == "pools");
        let are_all_pools = listed.is_some_and(|(.., items)| self.pools.len() == *items && *items > 0);
        let Self {
            mut context,
            interfaces,
            block,
            subscribers,
            history,
            events,
            alerts,
            keys,
            pools,
            relays,
            nat64,
            privacy,
            mut exemptions,
            limits,
            metrics,
            ..
        } = self;
        let subscribers = subscribers.resolve(&mut context, &pools, are_all_pools);
        exemptions.shrink_to_fit();
        let policy = Policy {
            interfaces,
            block,
            subscribers,
            history,
            events,
            alerts,
            pools,
            relays,
            nat64: Nat64::new(nat64),
            privacy,
            exemptions,
            exemption_limits: limits,
            metrics,
            lists,
        };
        if let Some((_, span, _)) = keys.iter().find(|(key, ..)| *key == "alerts") {
            alerts::check(&mut context, *span, &policy);
        }
        let Context {
            mut reporter, now, ..
        } = context;
        if reporter.errors() == 0 {
            // After an error something is missing, and warnings would be wrong.
            lint(&mut reporter, &policy, now);
        }
        let report = reporter.finish();
        if report.errors() == 0 {
            Ok(Loaded {
                policy,
                warnings: report,
            })
        } else {
            Err(report)
        }
    }
}
