//! Finds the lists that a policy names, without reading anything else of it.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    super::{
        rules::{POOL_KEYS, RELAY_KEYS},
        values::{Context, Mapping, known_key},
        yaml::{self, Items, Located, Node, Reading},
    },
    EXEMPTIONS_FROM, KEYS, reading,
};

/// The names of the lists that a policy names, in the order in which a reader of the whole policy finds them. Those before a
/// mistake in the YAML, if there is one.
pub(crate) fn list_names(text: &str) -> Vec<String> {
    let mut names = Names {
        // Dates are not read.
        context: Context::new("", text, Timestamp::UNIX_EPOCH, TimeZone::UTC),
        keys: Vec::new(),
    };
    // What is wrong is reported by whoever reads all of it.
    let _ = yaml::read(text, &mut names);
    names.context.lists.into_names()
}

/// The names that have been found so far.
struct Names<'t> {
    context: Context<'t>,
    keys: Vec<&'static str>,
}

impl<'t> Items<'t> for Names<'t> {
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading {
        let Ok(name) = known_key(&mut self.context, "", KEYS, key) else {
            return Reading::NotAtAll;
        };
        if self.keys.contains(&name) {
            return Reading::NotAtAll;
        }
        self.keys.push(name);
        match name {
            "pools" | "relays" | EXEMPTIONS_FROM => reading(name),
            _ => Reading::NotAtAll,
        }
    }

    fn value(&mut self, value: Located<Node<'t>>) {
        self.context.named_lists(EXEMPTIONS_FROM, value);
    }

    fn item(&mut self, item: Located<Node<'t>>) {
        let keys = match self.keys.last() {
            Some(&"pools") => POOL_KEYS,
            _ => RELAY_KEYS,
        };
        let mapping = Mapping::new(&mut self.context, "", keys, item);
        if let Some(node) = mapping.and_then(|mut mapping| mapping.optional("prefixes_from")) {
            self.context.named_lists("prefixes_from", node);
        }
    }

    fn not_a_list(&mut self, _: &Node<'_>) {}

    fn not_a_mapping(&mut self, _: &Node<'_>) {}
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::policy::parse::{ListError, ListFiles, parse_bytes};

    /// Records the names of the lists that are read.
    struct Spy(Vec<String>);

    impl ListFiles for Spy {
        fn path(&self, name: &str) -> PathBuf {
            name.into()
        }

        fn read(&mut self, name: &str) -> Result<Vec<u8>, ListError> {
            self.0.push(name.to_owned());
            Ok(Vec::new())
        }
    }

    #[test]
    fn the_names_are_those_that_a_reader_of_the_policy_finds_in_their_order() {
        let pools = "pools:\n- { name: a, prefixes_from: [a.txt, 'b c.txt', a.txt] }\n- { prefixes_from: [\"\", 25, d] }\n";
        let relays = "relays: [{ name: r, prefixes_from: [d, r.txt], prefixes_from: [no] }]\n";
        let exemptions = "exemptions_from: [x.csv, a.txt, \"\\e\"]\n";
        let all = format!("{exemptions}version: 1\n{pools}{relays}exemptions: [{{ prefixes_from: [no] }}]\n");
        for (text, names) in [
            (&*all, "x.csv|a.txt|b c.txt|25|d|r.txt"),
            (pools, "a.txt|b c.txt|25|d"),
            (&format!("{pools}{pools}"), "a.txt|b c.txt|25|d"),
            (&format!("{relays}pools: [\n{exemptions}"), "d|r.txt"),
            ("pools: { prefixes_from: [a] }\nexemptions_from: a\n", ""),
            ("x: &x [a]\nexemptions_from: *x\n", "a"),
            ("block: &x [a]\npools: [{ prefixes_from: *x }]\n", "a"),
            ("- pools\n", ""),
            ("", ""),
        ] {
            let mut spy = Spy(Vec::new());
            let _ = parse_bytes("x.yaml", text.as_bytes(), &mut spy);
            assert_eq!(spy.0.join("|"), names, "{text}");
            assert_eq!(list_names(text).join("|"), names, "{text}");
        }
    }
}
