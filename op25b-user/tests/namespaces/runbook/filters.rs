//! What differs from run to run in the output of a command, replaced so that outputs can be compared.

use std::sync::LazyLock;

use regex_lite::Regex;

/// What is replaced, and by what.
const VOLATILE: [(&str, &str); 15] = [
    // How much of it there is depends on when the outputs were made.
    (r"(?m)^  history  .*$", "  history"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( [+-]\d\d:\d\d| UTC)?", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\d\d:\d\d (today|yesterday)", "TIME"),
    (r"\d+ (second|minute|hour|day)s?", "SPAN"),
    (r"01[0-9A-HJKMNP-TV-Z]{24}", "ID"),
    (r"process \d+", "PROCESS"),
    (r"\b(program|id) \d+", "PROGRAM"),
    (r"program_id=\d+", "PROGRAM"),
    // In a column of `status`.
    (r"\b(native|generic) +\d+\b", "$1 PROGRAM"),
    (r"op25b \d+\.\d+\.\d+", "VERSION"),
    (r"\d+ MiB", "MEMORY"),
    (r"\b[0-9a-f]{64}\b", "DIGEST"),
    // Columns are as wide as what is in them.
    (r" {2,}", "  "),
];

/// An output without what differs from run to run.
pub fn filtered(output: &str) -> String {
    static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let filters = VOLATILE.iter();
        filters
            .map(|(pattern, word)| (Regex::new(pattern).unwrap(), *word))
            .collect()
    });
    let mut text = output.to_owned();
    for (pattern, word) in &*FILTERS {
        text = pattern.replace_all(&text, *word).into_owned();
    }
    text
}

#[test]
fn times_ids_and_processes_are_filtered_and_nothing_else() {
    for (output, expected) in [
        ("ended 03:00 today, 20 minutes ago", "ended TIME, SPAN ago"),
        ("until 2028-03-31 (in 31 days)", "until DAY (in SPAN)"),
        ("at 2026-11-28 23:09:35 +09:00 by root", "at TIME by root"),
        ("01KAXQ3T5BH6Z8W2N4R7C9D1EF of Example KK", "ID of Example KK"),
        ("process 24797 (op25b 0.1.0)", "PROCESS (VERSION)"),
        (
            "auto    native  298107   2026-11-29 09:59:12 +09:00",
            "auto  native PROGRAM  TIME",
        ),
        (
            "(interface=eth2, other_program_id=298541)",
            "(interface=eth2, other_PROGRAM)",
        ),
        (
            "198.51.100.8/29 is BLOCKED on eth1",
            "198.51.100.8/29 is BLOCKED on eth1",
        ),
    ] {
        assert_eq!(filtered(output), expected);
    }
}
