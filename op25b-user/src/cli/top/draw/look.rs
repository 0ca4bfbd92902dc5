//! What the terminal can show: colours or not, and which characters.

use std::env;

use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};

/// How a live view looks.
#[derive(Clone, Debug)]
pub(in crate::cli::top) struct Look {
    /// Whether there are colours. Nothing is said by a colour alone.
    pub(in crate::cli::top) has_colours: bool,
    /// Whether there are characters beyond ASCII.
    pub(in crate::cli::top) has_unicode: bool,
    /// The time zone of times.
    pub(in crate::cli::top) zone: TimeZone,
}

impl Look {
    /// What the environment says of the terminal.
    pub(in crate::cli::top) fn of_environment(zone: TimeZone) -> Self {
        Self::of(|name| env::var(name).ok().filter(|value| !value.is_empty()), zone)
    }

    fn of(variable: impl Fn(&str) -> Option<String>, zone: TimeZone) -> Self {
        let terminal = variable("TERM").unwrap_or_else(|| "dumb".to_owned());
        let monochrome = ["dumb", "vt100", "vt102", "vt220", "vt320"];
        let is_monochrome = monochrome.contains(&terminal.as_str())
            || ["-m", "-mono", "-monochrome"]
                .iter()
                .any(|end| terminal.ends_with(end));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&variable);
        let is_utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            has_colours: variable("NO_COLOR").is_none() && !is_monochrome,
            has_unicode: is_utf8 && terminal != "dumb",
            zone,
        }
    }

    /// The heading of a panel.
    pub(super) fn heading(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        self.coloured(style, Color::Cyan)
    }

    /// The first line, the cursor, and the keys.
    pub(super) fn reversed() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What is wrong.
    pub(super) fn alarm(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        self.coloured(style, Color::Red)
    }

    /// What somebody has to know.
    pub(super) fn notice(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        self.coloured(style, Color::Yellow)
    }

    /// What is blocked.
    pub(super) fn blocked(&self) -> Style {
        self.coloured(Style::new(), Color::Red)
    }

    /// What passes, and would not.
    pub(super) fn monitored(&self) -> Style {
        self.coloured(Style::new(), Color::Yellow)
    }

    /// What is in order.
    pub(super) fn good(&self) -> Style {
        self.coloured(Style::new(), Color::Green)
    }

    fn coloured(&self, style: Style, colour: Color) -> Style {
        if self.has_colours { style.fg(colour) } else { style }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_characters_are_those_that_the_terminal_has() {
        for (variables, colours, unicode) in [
            (
                &[("TERM", "xterm-256color"), ("LANG", "ja_JP.UTF-8")][..],
                true,
                true,
            ),
            (
                &[("TERM", "xterm"), ("LANG", "C.utf8"), ("NO_COLOR", "1")],
                false,
                true,
            ),
            (
                &[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("NO_COLOR", "")],
                true,
                true,
            ),
            (
                &[("TERM", "xterm"), ("LANG", "ja_JP.UTF-8"), ("LC_ALL", "C")],
                true,
                false,
            ),
            (&[("TERM", "linux")], true, false),
            (&[("TERM", "xterm-mono"), ("LANG", "C.UTF-8")], false, true),
            (&[("TERM", "vt220"), ("LANG", "C.UTF-8")], false, true),
            (&[("TERM", "dumb"), ("LANG", "C.UTF-8")], false, false),
            (&[], false, false),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found
                    .map(|(_, value)| (*value).to_owned())
                    .filter(|value| !value.is_empty())
            };
            let look = Look::of(variable, TimeZone::UTC);
            assert_eq!(
                (look.has_colours, look.has_unicode),
                (colours, unicode),
                "{variables:?}"
            );
        }
    }
}
