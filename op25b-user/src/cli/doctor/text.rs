//! The text of `op25b doctor`: a line for each thing, section by section, with what to do below what is not as it should be.

use anstyle::{AnsiColor, Style};

use crate::{
    cli::table::fold,
    report::doctor::{Check, Examined, Grade, Line, Section},
};

/// The width of the words of grades.
const GRADE: usize = 7;

/// The whole text. On a terminal lines are folded to its width.
pub(super) fn text(examined: &Examined, width: Option<u16>) -> String {
    let mut text = String::new();
    let sections = [Section::Machine, Section::Time, Section::Service, Section::Policy];
    for section in sections {
        let lines = examined
            .lines
            .iter()
            .filter(|line| line.check.section() == section);
        push_section(&mut text, &section.to_string(), lines, width);
    }
    // Those that the policy could not be asked for.
    let general = examined
        .lines
        .iter()
        .filter(|line| line.check.section() == Section::Interface && line.interface.is_none());
    push_section(&mut text, "interfaces", general, width);
    for interface in &examined.interfaces {
        let lines = examined
            .lines
            .iter()
            .filter(|line| line.interface.as_deref() == Some(interface));
        push_section(&mut text, &format!("interface {interface}"), lines, width);
    }
    let counts: Vec<_> = Grade::ALL
        .into_iter()
        .map(|grade| format!("{} {}", examined.count(grade), grade.name()))
        .collect();
    text.push_str(&counts.join(", "));
    text.push('\n');
    text
}

fn push_section<'a>(
    text: &mut String,
    title: &str,
    lines: impl Iterator<Item = &'a Line>,
    width: Option<u16>,
) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    text.push_str(title);
    text.push('\n');
    for line in lines {
        let style = style(line.result);
        let (grade, check) = (line.result.name(), line.check.name());
        let blanks = " ".repeat(GRADE - grade.len());
        let widest = widest();
        push(
            text,
            &format!("  {style}{grade}{style:#}{blanks}  {check:<widest$}  "),
            &line.message,
            width,
        );
        if let Some(remedy) = &line.remedy {
            push(text, &" ".repeat(indent()), &format!("-> {remedy}"), width);
        }
    }
}

/// The width of the longest name of a check.
fn widest() -> usize {
    Check::ALL
        .iter()
        .map(|check| check.name().len())
        .max()
        .unwrap_or_default()
}

/// The column in which messages begin.
fn indent() -> usize {
    2 + GRADE + 2 + widest() + 2
}

/// Appends a message after what stands before it, folded below the column in which it begins.
fn push(text: &mut String, before: &str, message: &str, width: Option<u16>) {
    const NARROWEST: u16 = 30;
    let indent = indent();
    let width = width.map(|width| {
        width
            .saturating_sub(u16::try_from(indent).unwrap_or(u16::MAX))
            .max(NARROWEST)
    });
    for (number, line) in fold(message, width).lines().enumerate() {
        if number == 0 {
            text.push_str(before);
        } else {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(line.trim_start());
        text.push('\n');
    }
}

fn style(grade: Grade) -> Style {
    match grade {
        Grade::Ok => Style::new(),
        Grade::Unknown => Style::new().bold(),
        Grade::Warn => AnsiColor::Yellow.on_default().bold(),
        Grade::Fail => AnsiColor::Red.on_default().bold(),
    }
}

#[cfg(test)]
mod tests;
