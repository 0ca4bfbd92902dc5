//! The man pages of op25b and of every subcommand: what clap knows of each, and the text of the documents.

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use op25b::cli::Cli;

use crate::{document, markdown};

/// The section of the manual: commands of the system's administrator.
const SECTION: &str = "8";
/// Sections of docs/cli.md that concern every command.
const COMMON: [&str; 5] = [
    "Common options",
    "Tables",
    "Times and durations",
    "Exit codes",
    "The service",
];

/// Every page with its path.
pub fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page = page(command).with_context(|| format!("cannot write the page of {name}"))?;
    pages.push((format!("usr/share/man/man{SECTION}/{name}.{SECTION}"), page));
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        add(subcommand, pages)?;
    }
    Ok(())
}

fn page(command: &Command) -> anyhow::Result<String> {
    let version = format!("op25b {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone())
        .section(SECTION)
        .source(version)
        .manual("Outbound port 25 blocking");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    append_document(&mut roff, command)?;
    if let Some(help) = command.get_after_help() {
        append_help(&mut roff, &help.to_string());
    }
    append_see_also(&mut roff, command);
    roff.to_writer(&mut page)?;
    Ok(String::from_utf8(page)?)
}

/// The usage as `--help` has it: `clap_mangen` leaves out what options take.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in usage.lines() {
        roff.text([bold(line.trim_start())]);
    }
    roff.control("fi", []);
    roff
}

/// Appends what the documents say of a command.
fn append_document(roff: &mut Roff, command: &Command) -> anyhow::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let words: Vec<_> = name.split(' ').collect();
    match words[..] {
        [_] => {
            for heading in COMMON {
                roff.control("SH", [heading.to_uppercase().as_str()]);
                markdown::append(roff, document::section(document::CLI, heading)?);
            }
        }
        [_, "exempt"] => markdown::append(roff, document::EXEMPTIONS),
        [_, "sessions"] => markdown::append(roff, document::SESSIONS),
        // Their page is that of the command above them.
        [_, "exempt" | "sessions", ..] => {}
        _ => {
            let is_of = |heading: &str| heading.split(" and ").any(|command| command == name);
            let found = document::sections(document::CLI).find(|(heading, _)| is_of(heading));
            // A command whose subcommands have sections of their own needs none.
            if found.is_none() && command.has_subcommands() {
                return Ok(());
            }
            let (_, text) = found.with_context(|| format!("docs/cli.md has no section `{name}`"))?;
            roff.control("SH", ["DETAILS"]);
            markdown::append(roff, text);
        }
    }
    Ok(())
}

/// Appends the end of `--help`: examples and exit codes as sections, what else there is before them.
fn append_help(roff: &mut Roff, help: &str) {
    let (mut examples, mut notes, mut codes) = (Vec::new(), Vec::new(), None);
    for line in help
        .lines()
        .filter(|line| !line.is_empty() && *line != "Examples:")
    {
        if let Some(rest) = line.strip_prefix("Exit codes: ") {
            codes = Some(rest);
        } else if line.starts_with("  ") {
            examples.push(line.trim_start());
        } else {
            notes.push(line);
        }
    }
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        for note in notes {
            roff.control("PP", []).text([roman(note)]);
        }
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for example in examples {
            roff.text([roman(example)]);
        }
        roff.control("fi", []);
    }
    if let Some(codes) = codes {
        roff.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
    }
}

fn append_see_also(roff: &mut Roff, command: &Command) {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut others = Vec::new();
    if let Some((parent, _)) = name.rsplit_once('-') {
        others.push(parent.to_owned());
    }
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    others.extend(below.filter_map(|command| command.get_display_name().map(str::to_owned)));
    let mut line = Vec::new();
    for other in others {
        line.extend([bold(other), roman(format!("({SECTION}), "))]);
    }
    line.extend([bold("op25b.yaml"), roman("(5)")]);
    roff.control("SH", ["SEE ALSO"])
        .text(line)
        .control("PP", [])
        .text([roman("All documents are in /usr/share/doc/op25b.")]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_every_top_level_one_the_text_of_the_documents() {
        let pages = pages().expect("docs/cli.md has a section for every command");
        let text = |name: &str| {
            let path = format!("usr/share/man/man8/{name}.8");
            let found = pages.iter().find(|(page, _)| *page == path);
            found.map_or_else(|| panic!("there is no {path}"), |(_, text)| text.as_str())
        };
        assert!(text("op25b").contains(".SH \"TIMES AND DURATIONS\""));
        assert!(text("op25b-exempt").contains(".SH \"IMPORT AND EXPORT\""));
        for name in [
            "op25b-run",
            "op25b-pause",
            "op25b-resume",
            "op25b-export-prefixes",
        ] {
            assert!(text(name).contains(".SH DETAILS"), "{name}");
        }
        let add = text("op25b-exempt-add");
        assert!(
            add.contains("op25b exempt add [OPTIONS] \\-\\-customer <NAME> <PREFIX>..."),
            "{add}"
        );
        assert!(
            add.contains(".SH EXAMPLES") && add.contains(".SH \"EXIT STATUS\""),
            "{add}"
        );
    }
}
