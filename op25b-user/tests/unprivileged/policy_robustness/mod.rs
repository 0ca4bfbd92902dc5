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

/// Lines of lists.
const ENTRIES: &[&str] = &[
    "customer,prefixes,note,expires\n",
    "Example KK,198.51.100.8/29;2001:db8::/48,\"two\nlines\",2028-03-31\r\n",
    "\"Sample, GK\",192.0.2.1,\"said \"\"yes\"\"\",never\n",
    ",,,\n",
    "198.51.100.0/22 # a comment\n",
    "192.0.2.1-192.0.2.200\n",
    "2001:db8::-2001:db8:ff::\r\n",
    "2|apnic|20261128|75312|19830613|20261127|+1000\n",
    "apnic|JP|ipv4|203.0.112.0|768|20110412|allocated\n",
    "apnic|JP|ipv6|2001:db8:200::|40|20110412|allocated\n",
    "apnic|*|ipv4|*|46823|summary\n",
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
    fn a_list_with_slips_is_read_or_refused(
        entries in prop::collection::vec(prop::sample::select(ENTRIES), 0..12),
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0usize..6, prop::sample::select(SCRAPS)), 0..3),
    ) {
        check(slipped(entries.concat(), &slips).as_bytes());
    }

    #[test]
    fn a_policy_with_slips_is_read_or_refused(
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(SCRAPS)), 1..4),
    ) {
        check(slipped(GOOD.to_owned(), &slips).as_bytes());
    }
}

fn slipped(mut text: String, slips: &[(prop::sample::Index, usize, &str)]) -> String {
    for (place, removed, scrap) in slips {
        let start = text.floor_char_boundary(place.index(text.len() + 1));
        let end = text
            .floor_char_boundary((start + removed).min(text.len()))
            .max(start);
        text.replace_range(start..end, scrap);
    }
    text
}
