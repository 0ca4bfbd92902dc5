//! Reads the lists of a policy into its pools, relays and exemptions.

use super::{
    super::{
        not_utf8::not_utf8,
        rules::{Taken, warn_of_wide_relay},
        values::{Context, Named, Owner},
    },
    exemptions,
    files::{ListError, ListFiles},
    prefixes,
};
use crate::policy::{
    diagnostics::{Code, Diagnostic},
    encoding,
    model::{Exemption, List, Pool, Prefix, Relay},
};

/// The texts of the lists that a policy names.
pub(crate) struct ListTexts(Vec<(List, Result<Vec<u8>, ListError>)>);

/// The lists that a pool or relay names.
#[derive(Debug)]
pub(crate) struct Members {
    /// The pool or relay, by its index.
    pub(crate) rule: usize,
    pub(crate) owner: Owner,
    pub(crate) lists: Vec<Named>,
}

/// What reads lists into a policy.
pub(crate) struct Loading<'l, 'c> {
    context: &'c mut Context<'l>,
    lists: Vec<List>,
    /// None of those that cannot be read, or that are reported already.
    texts: Vec<Result<&'l str, Unread<'l>>>,
}

#[derive(Clone, Copy)]
enum Unread<'l> {
    For(&'l ListError),
    Reported,
}

impl ListTexts {
    /// Reads the lists that are named.
    pub(crate) fn read(names: &[String], files: &mut dyn ListFiles) -> Self {
        let read = names.iter().map(|name| {
            let list = List {
                name: name.clone(),
                path: files.path(name),
                prefixes: 0,
                exemptions: 0,
            };
            (list, files.read(name))
        });
        Self(read.collect())
    }
}

impl<'l, 'c> Loading<'l, 'c> {
    /// Makes the texts known to the report.
    pub(crate) fn new(context: &'c mut Context<'l>, texts: &'l ListTexts) -> Self {
        let mut loading = Self {
            context,
            lists: texts.0.iter().map(|(list, _)| list.clone()).collect(),
            texts: Vec::with_capacity(texts.0.len()),
        };
        for (list, bytes) in &texts.0 {
            let read = match bytes {
                Ok(bytes) => loading.text(list, bytes),
                Err(error) => Err(Unread::For(error)),
            };
            let reporter = &mut loading.context.reporter;
            reporter.add_list(&list.path.display().to_string(), read.unwrap_or_default());
            loading.texts.push(read);
        }
        loading
    }

    fn text(&mut self, list: &List, bytes: &'l [u8]) -> Result<&'l str, Unread<'l>> {
        match encoding::text(bytes) {
            // Editors and spreadsheets begin files with a byte order mark.
            Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Err(error) => {
                let name = list.path.display().to_string();
                let diagnostic = not_utf8(bytes, &error, Some((&name, self.texts.len())));
                self.context.reporter.report_file(diagnostic);
                Err(Unread::Reported)
            }
        }
    }

    /// Adds the prefixes of their lists to pools.
    pub(crate) fn pools(&mut self, pools: &mut [Pool], taken: &mut Taken, members: Vec<Members>) {
        for Members { rule, owner, lists } in members {
            for named in lists {
                let prefixes = &mut pools[rule].prefixes;
                self.prefixes(named, owner, taken, prefixes);
            }
        }
    }

    /// Adds the prefixes of their lists to relays.
    pub(crate) fn relays(&mut self, relays: &mut [Relay], taken: &mut Taken, members: Vec<Members>) {
        for Members { rule, owner, lists } in members {
            for named in lists {
                let prefixes = &mut relays[rule].prefixes;
                let before = prefixes.len();
                self.prefixes(named, owner, taken, prefixes);
                for prefix in &prefixes[before..] {
                    warn_of_wide_relay(self.context, *prefix);
                }
            }
        }
    }

    fn prefixes(&mut self, named: Named, owner: Owner, taken: &mut Taken, prefixes: &mut Vec<Prefix>) {
        let Some(text) = self.opened(named) else {
            return;
        };
        let errors = self.context.reporter.errors();
        let mut count = 0;
        prefixes::read(self.context, named.file, text, |context, net, span| {
            count += 1;
            if taken
                .prefixes
                .note_listed(context, owner, span, net, |net| format!("{net} is given twice"))
            {
                prefixes.push(Prefix { net, at: span.at });
            }
        });
        prefixes.shrink_to_fit();
        if count == 0 && self.context.reporter.errors() == errors {
            let name = self.name(named);
            // An export that failed would open the blocked ports to a whole pool.
            self.context.reporter.error(
                named.span,
                Code::EmptyList,
                format!("the list `{name}` has no prefixes"),
                "remove it from `prefixes_from` if there are none",
            );
        }
        if let Some(list) = named.file.list().and_then(|index| self.lists.get_mut(index)) {
            list.prefixes += count;
        }
    }

    /// Adds the exemptions of lists.
    pub(crate) fn exemptions(&mut self, exemptions: &mut Vec<Exemption>, lists: Vec<Named>) {
        for named in lists {
            let Some(text) = self.opened(named) else {
                continue;
            };
            let (before, errors) = (exemptions.len(), self.context.reporter.errors());
            exemptions::read(self.context, named.file, text, exemptions);
            let count = exemptions.len() - before;
            if count == 0 && self.context.reporter.errors() == errors {
                let name = self.name(named);
                self.context
                    .reporter
                    .report(named.span, Code::ListWithoutExemptions, || {
                        Diagnostic::new(
                            Code::ListWithoutExemptions,
                            format!("the list `{name}` has no exemptions"),
                        )
                        .hint("check that its export worked, or remove it from `exemptions_from`")
                    });
            }
            if let Some(list) = named.file.list().and_then(|index| self.lists.get_mut(index)) {
                list.exemptions += count;
            }
        }
    }

    /// The text of a list; what is wrong with its file is reported.
    fn opened(&mut self, named: Named) -> Option<&'l str> {
        match *self.texts.get(named.file.list()?)? {
            Ok(text) => Some(text),
            Err(Unread::Reported) => None,
            Err(Unread::For(error)) => {
                let name = self.name(named);
                let code = match error {
                    ListError::System(_) | ListError::NotAFile => Code::ListUnreadable,
                    ListError::TooLarge { .. } | ListError::TooLargeTogether { .. } => Code::ListSize,
                };
                let hint = match code {
                    Code::ListSize => "split the policy, or shorten the list",
                    _ => "its name is relative to the directory of the policy file",
                };
                self.context.reporter.error(
                    named.span,
                    code,
                    format!("cannot read the list `{name}`: {error}"),
                    hint,
                );
                None
            }
        }
    }

    fn name(&self, named: Named) -> String {
        let list = named.file.list().and_then(|index| self.lists.get(index));
        list.map_or_else(String::new, |list| list.name.clone())
    }

    /// The lists, with the numbers of what was read from each.
    pub(crate) fn finish(self) -> Vec<List> {
        self.lists
    }
}
