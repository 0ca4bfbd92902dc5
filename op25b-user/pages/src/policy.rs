//! The man page of the policy file.

use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::{document, markdown};

/// The page with its path.
pub fn page() -> (String, String) {
    let mut roff = Roff::new();
    let version = format!("op25b {}", env!("CARGO_PKG_VERSION"));
    roff.control(
        "TH",
        [
            "op25b.yaml",
            "5",
            "",
            version.as_str(),
            "Outbound port 25 blocking",
        ],
    )
    .control("SH", ["NAME"])
    .text([roman(
        "op25b.yaml - the policy of op25b: for which addresses port 25 is blocked",
    )])
    .control("SH", ["SYNOPSIS"])
    .text([italic("/etc/op25b/policy.yaml")])
    .control("SH", ["DESCRIPTION"]);
    markdown::append(&mut roff, document::POLICY);
    roff.control("SH", ["SEE ALSO"])
        .text([
            bold("op25b-check"),
            roman("(8), "),
            bold("op25b-reload"),
            roman("(8), "),
            bold("op25b"),
            roman("(8)"),
        ])
        .control("PP", [])
        .text([roman("Whole policies are in /usr/share/doc/op25b/examples.")]);
    ("usr/share/man/man5/op25b.yaml.5".to_owned(), roff.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_section_of_the_document() {
        let (_, page) = page();
        for (heading, _) in document::sections(document::POLICY) {
            let heading = heading.to_uppercase();
            assert!(
                page.contains(&format!(".SH {heading}\n")) || page.contains(&format!(".SH \"{heading}\"\n")),
                "{heading}"
            );
        }
    }
}
