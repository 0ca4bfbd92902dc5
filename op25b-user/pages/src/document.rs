//! The documents whose text the pages take over, and their sections.

use anyhow::Context as _;

/// Every command but `exempt` and `sessions`.
pub const CLI: &str = include_str!("../../../docs/cli.md");
/// `exempt`.
pub const EXEMPTIONS: &str = include_str!("../../../docs/exemptions.md");
/// `sessions`.
pub const SESSIONS: &str = include_str!("../../../docs/sessions.md");
/// The policy file.
pub const POLICY: &str = include_str!("../../../docs/policy.md");

/// The text of the section `heading`, without the heading and with the sections below it.
pub fn section<'a>(document: &'a str, heading: &str) -> anyhow::Result<&'a str> {
    let (_, text) = sections(document)
        .find(|(found, _)| *found == heading)
        .with_context(|| format!("there is no section `{heading}`"))?;
    Ok(text)
}

/// The sections of the second level, each with its heading.
pub fn sections(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document
        .split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap_or((section, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_one_of_its_level_begins() {
        let document = "# title\n\n## one\n\ntext\n\n### below\n\nmore\n\n## two\nlast\n";
        assert_eq!(
            section(document, "one").expect("it is there"),
            "\ntext\n\n### below\n\nmore\n"
        );
        assert_eq!(section(document, "two").expect("it is there"), "last\n");
        assert!(section(document, "three").is_err());
    }
}
