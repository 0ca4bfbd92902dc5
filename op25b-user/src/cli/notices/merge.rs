//! The table for mail merge: a row for each notice. No cell is a formula of a spreadsheet, and none breaks a line.

use crate::{
    exemption::formats::guarded, policy::characters::printable, report::activity::subscriber, time::show,
};

use super::address::Letter;

/// The name of its file.
pub(super) const NAME: &str = "notices.csv";

const HEADER: [&str; 10] = [
    "customer",
    "file",
    "addresses",
    "class",
    "packets",
    "blocked",
    "monitored",
    "first_seen",
    "last_seen",
    "enforce_from",
];

/// The table of letters, each with its file.
pub(super) fn table(letters: &[Letter<'_>], files: &[String]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for (letter, file) in letters.iter().zip(files) {
        let counts = &letter.tally.counts;
        let addresses: Vec<_> = letter
            .addresses
            .iter()
            .map(|(address, _)| subscriber(&address.subscriber))
            .collect();
        writer.write_record([
            guarded(&printable(letter.customer)).as_ref(),
            file,
            &addresses.join(" "),
            letter.class.map_or("", |class| class.word()),
            &counts.packets().to_string(),
            &counts.blocked().to_string(),
            &counts.monitored().to_string(),
            &show::utc(letter.tally.first()),
            &show::utc(letter.tally.last()),
            &letter.enforce_from.map_or_else(String::new, show::utc),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
