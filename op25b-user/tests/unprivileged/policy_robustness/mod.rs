//! No text makes the policy reader panic or fail without a diagnostic.

mod harness;

use harness::check;
use proptest::prelude::*;

const GOOD: &str = include_str!("../../../../policies/reference.yaml");

/// What is likely to be put into a policy by a slip of the hand.
const SCRAPS: &[&str] = &[
    "",
    "\n",
    " ",
    "\t",
    ":",
    "-",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "|",
    ">",
    "%",
    "---\n",
    "...",
    "\u{feff}",
    "\0",
    "\u{85}",
    "é",
    "客",
    "~",
    "null",
    ".nan",
    ".inf",
    "1e999",
    "-0",
    "0x",
    "99999999999999999999",
    "::/0",
    "0.0.0.0/0",
    "2001:db8::",
    "2028-02-30",
    "9999-12-31",
    "-009999-01-01",
    "2028-03-31T00:00:00",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        check(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn a_policy_with_slips_is_read_or_refused(
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(SCRAPS)), 1..4),
    ) {
        let mut text = GOOD.to_owned();
        for (place, removed, scrap) in slips {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.floor_char_boundary((start + removed).min(text.len())).max(start);
            text.replace_range(start..end, scrap);
        }
        check(text.as_bytes());
    }
}
