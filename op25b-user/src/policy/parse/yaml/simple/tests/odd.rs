//! Odd documents, most of them nearly simple, as people, programs and mistakes write them.

use proptest::{prelude::*, sample::Index};

/// Scalars that are not what they seem, and others. The first ones are those of policies.
const SCALARS: &[&str] = &[
    "Example KK", "customer", "198.51.100.8/29", "2001:db8::/40", "192.0.2.1", "2028-03-31", "7", "25", "客",
    "2028-03-31T18:00:00+09:00", "2027-04-01 00:00:00Z", "株式会社 客", "\"a: b\"", "'it''s'", "a:b", "A & B",
    "2001:db8::", "::/0", "::1", "0", "007", "08", "0x1f", "0X1F", "0o17", "0b11", "1_000", "1.5", "1e3", "1e999", "12e-3",
    "1.2.3", "-5", "+5", "-0", ".5", "5.", "5.e1", "99999999999999999999", "184467440737095516150",
    "1234567890123456789", "123456789012345678", "000000000000000001", ".nan", ".inf", "-.inf", "nan", "inf", "Infinity",
    "null", "Null", "NULL", "nUll", "~", "", "true", "True", "TRUE", "tRue", "false", "False", "yes", "no", "No", "on",
    "off", "y", "n", "<<", "=", "a: b", "a :b", "a : b", "a#b", "a #b", "a# b", "#a", "a,b", "a, b", "a]b", "a[b", "[a",
    "{a", "a{b}", "a}b", "&a b", "&a", "*a", "!a b", "!!str 5", "@a", "`a", "%a", "|", ">", "|\n    text",
    "|\n        text\n\n        more", ">-\n   text", "- a", "-a", "-", "--- a", "---", "...", "? a", "?a", ": a", ":a", "a:",
    "a: ", "\"a\"", "\"\"", "\"a #b\"", "\"a\\tb\"", "\"a\\\"b\"", "\"a\"b", "\"a", "\"a\nb\"", "\"a\n   b\"", "\"5\"",
    "\"null\"", "\"'\"", "\"a\":b", "\"a\": b", "'a'", "''", "''''", "'''a'''", "'a'b", "'a", "'a\nb'", "'a\n     b'", "'5'",
    "'true'", "'\"'", "'a\\b'", "'<<'", "a\n b", "a\n     b", "a\tb", "\ta", "a\t", "a\u{a0}b", "\u{a0}", "\u{85}",
    "a\u{85}b", "a\u{2028}b", "a\u{feff}b", "\u{feff}", "a\u{0}b", "a\u{7f}b", "a\rb", "\u{3000}a", "\u{1f4e7} mail",
    "\"客: 様\"", "e\u{301}", "(a)", "/a", "_a", "a/", "a'b", "a\"b", "a\\b", "a|b", "a>b", "a%b", "a@b.example", "1 2",
    "5 # five", "5#", "1:2", "12:30:45", "1-2", "1e-2", "0-0", "2e", "0x", "0xg", "1,000", "5%", "a  b", "a   ",
];

const SPACES: &[&str] = &[
    "", " ", "  ", "      ", "\t", " \t", "\n", "\n  ", "\n      ", " # c", " # c\n      ", "#", "\r\n    ",
];

const ENDS: &[&str] = &[
    "", " ", " # comment", "  #", " #\tc", "\t", "#no", " # 客\u{2028}", " # \u{1}", " }", ",",
];

const BETWEEN: &[&str] = &[
    "", "\n", "  \n", "# c\n", "        # c\n", "\n\n# c\n", "\t\n", "---\n", "...\n", "%YAML 1.2\n", "\t# c\n", "\r",
];

const SIGNS: &[&str] = &[
    "[", "]", "{", "}", ":", "- ", "\n", "\r\n", "  ", ",", "'", "\"", "#", " #", ": ", "\\",
];

/// A document of its own.
pub(super) fn document() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u16>(), 0..300).prop_map(|choices| Writer::document(&choices))
}

/// A document with mistakes.
pub(super) fn slipped(document: &'static str) -> impl Strategy<Value = String> {
    let scraps = prop::sample::select([SCALARS, SPACES, ENDS, BETWEEN, SIGNS].concat());
    let slip = (any::<Index>(), prop_oneof![Just(0), 0_usize..12], scraps);
    prop::collection::vec(slip, 1..4).prop_map(|slips| {
        let mut text = document.to_owned();
        for (place, removed, scrap) in slips {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.floor_char_boundary((start + removed).min(text.len())).max(start);
            text.replace_range(start..end, scrap);
        }
        text
    })
}

/// Writes documents from choices that proptest makes and shrinks.
struct Writer<'c> {
    choices: std::slice::Iter<'c, u16>,
    text: String,
    newline: &'static str,
}

impl Writer<'_> {
    fn document(choices: &[u16]) -> String {
        let mut writer = Writer {
            choices: choices.iter(),
            text: String::new(),
            newline: "\n",
        };
        if writer.choose(8) == 1 {
            writer.newline = "\r\n";
        }
        let starts = [
            "", "---\n", "# c\n", "\n", "\u{feff}", " ", "--- # c\n", "--- ", "---\n---\n", "# c\n---\n", "%YAML 1.2\n---\n",
        ];
        writer.seldom(&starts);
        // Also none: then the document has no policy.
        for _ in 0..writer.choose(5) {
            let keys = ["exemptions:", "pools:", "block:", "version:", "x:"];
            writer.one_of(&keys);
            if writer.choose(6) == 1 {
                writer.value(0, 0);
            } else {
                writer.end();
                let indent = writer.choose(4);
                writer.list(indent, 0);
            }
        }
        if writer.choose(6) == 1 {
            writer.text.pop();
        }
        writer.text
    }

    fn choose(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(*choice)) % of
    }

    fn one_of(&mut self, among: &[&str]) {
        let choice = self.choose(among.len());
        self.text.push_str(among[choice]);
    }

    /// Mostly the first one.
    fn seldom(&mut self, among: &[&str]) {
        if self.choose(60) == 1 {
            self.one_of(among);
        } else {
            self.text.push_str(among[0]);
        }
    }

    fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    fn space(&mut self) {
        if self.choose(40) == 1 {
            self.one_of(SPACES);
        } else {
            self.text.push(' ');
        }
    }

    fn end(&mut self) {
        self.seldom(ENDS);
        self.text.push_str(self.newline);
        self.seldom(BETWEEN);
    }

    fn scalar(&mut self) {
        let among = if self.choose(40) == 1 { SCALARS.len() } else { 16 };
        self.one_of(&SCALARS[..among]);
    }

    fn key(&mut self) {
        if self.choose(40) == 1 {
            self.scalar();
        } else {
            self.one_of(&["id", "customer", "prefixes", "note", "\"ticket\"", "'expires'", "客"]);
        }
    }

    fn flow(&mut self, depth: usize) {
        let kind = if depth > 8 { 0 } else { self.choose(4) };
        let (open, close) = match kind {
            0 | 1 => return self.scalar(),
            2 => ('[', ']'),
            _ => ('{', '}'),
        };
        self.text.push(open);
        self.space();
        let count = self.choose(5);
        for index in 0..count {
            if kind == 3 {
                self.key();
                self.text.push(':');
                self.space();
            }
            self.flow(depth + 1);
            self.seldom(SPACES);
            if index + 1 < count || self.choose(4) == 1 {
                self.text.push(',');
                self.space();
            }
        }
        self.text.push(close);
    }

    fn indent(&mut self, indent: usize) {
        let slip = if self.choose(90) == 1 { self.choose(3) } else { 1 };
        self.spaces((indent + slip).saturating_sub(1));
    }

    /// The value of a key that is indented by `indent`.
    fn value(&mut self, indent: usize, depth: usize) {
        match if depth > 5 { 0 } else { self.choose(5) } {
            0..=2 => {
                self.space();
                self.flow(depth + 1);
                self.end();
            }
            3 => {
                self.end();
                let inner = indent + self.choose(4);
                self.list(inner, depth + 1);
            }
            _ => {
                self.end();
                let inner = indent + 1 + self.choose(4);
                self.record(inner, depth + 1, true);
            }
        }
    }

    fn list(&mut self, indent: usize, depth: usize) {
        for _ in 0..=self.choose(4) {
            self.indent(indent);
            self.text.push('-');
            let spaces = if self.choose(16) == 1 { self.choose(4) } else { 1 };
            self.spaces(spaces);
            if self.choose(3) == 1 && depth < 6 {
                self.record(indent + 1 + spaces, depth + 1, false);
            } else {
                self.flow(depth + 1);
                self.end();
            }
        }
    }

    fn record(&mut self, indent: usize, depth: usize, mut is_indented: bool) {
        for _ in 0..=self.choose(4) {
            if is_indented {
                self.indent(indent);
            }
            is_indented = true;
            self.key();
            self.seldom(&["", " ", "\t"]);
            self.text.push(':');
            self.value(indent, depth);
        }
    }
}
