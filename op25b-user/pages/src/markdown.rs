//! Markdown as man(7): what the documents use of it.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Appends a text. Headings of the second level begin a section, deeper ones a subsection; the title is left out.
pub fn append(roff: &mut Roff, markdown: &str) {
    let mut writer = Writer {
        roff,
        line: Vec::new(),
        font: Font::Roman,
        link: None,
        items: 0,
        header: Vec::new(),
        row: Vec::new(),
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        writer.event(event);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Font {
    Roman,
    Italic,
    Bold,
}

struct Writer<'a> {
    roff: &'a mut Roff,
    /// The paragraph, heading or cell that is being read.
    line: Vec<Inline>,
    font: Font,
    /// Where the link leads that is being read.
    link: Option<String>,
    /// How many lists the text is in.
    items: usize,
    /// The names of a table's columns.
    header: Vec<Vec<Inline>>,
    /// The cells of a table's row.
    row: Vec<Vec<Inline>>,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => self.line.push(bold(code.into_string())),
            Event::SoftBreak | Event::HardBreak => self.line.push(roman(" ")),
            Event::Rule
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.items == 0 => {
                self.roff.control("PP", []);
            }
            Tag::CodeBlock(_) => {
                self.roff.control("PP", []).control("RS", ["4"]).control("nf", []);
            }
            Tag::List(_) => {
                self.flush();
                if self.items > 0 {
                    self.roff.control("RS", []);
                }
                self.items += 1;
            }
            Tag::Item => {
                self.roff.control("IP", ["\\(bu", "2"]);
            }
            Tag::Emphasis => self.font = Font::Italic,
            Tag::Strong => self.font = Font::Bold,
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.into_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::CodeBlock => {
                self.roff.control("fi", []).control("RE", []);
            }
            TagEnd::List(_) => {
                self.items -= 1;
                if self.items > 0 {
                    self.roff.control("RE", []);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong => self.font = Font::Roman,
            // A link within the documents leads nowhere in a man page.
            TagEnd::Link => {
                if let Some(url) = self.link.take().filter(|url| url.starts_with("http")) {
                    self.line.push(roman(format!(" <{url}>")));
                }
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.line)),
            TagEnd::TableHead => self.header = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.table_row(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        // In a block of code each line stands alone; a paragraph's text has no line ends.
        if let Some(lines) = text.strip_suffix('\n') {
            for line in lines.split('\n') {
                self.roff.text([roman(line)]);
            }
            return;
        }
        self.line.push(match self.font {
            Font::Roman => roman(text),
            Font::Italic => italic(text),
            Font::Bold => bold(text),
        });
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text: String = self.line.drain(..).map(into_text).collect();
        match level {
            HeadingLevel::H1 => {}
            HeadingLevel::H2 => {
                self.roff.control("SH", [text.to_uppercase().as_str()]);
            }
            _ => {
                self.roff.control("SS", [text.as_str()]);
            }
        }
    }

    /// A row as a tagged paragraph: its first cell, then those between with the columns' names, then the last one.
    fn table_row(&mut self) {
        let mut cells = self.row.drain(..);
        let tag = cells.next().unwrap_or_default();
        self.roff.control("TP", []).text(tag);
        let mut cells: Vec<_> = cells.collect();
        let last = cells.pop().unwrap_or_default();
        let mut paragraph = Vec::new();
        for (cell, name) in cells.into_iter().zip(self.header.iter().skip(1)) {
            if !paragraph.is_empty() {
                paragraph.push(roman("; "));
            }
            paragraph.extend(name.iter().cloned());
            paragraph.push(roman(": "));
            paragraph.extend(cell);
        }
        if !paragraph.is_empty() {
            self.roff.text(paragraph).control("br", []);
        }
        self.roff.text(last);
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.roff.text(line);
        }
    }
}

fn into_text(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(markdown: &str) -> String {
        let mut roff = Roff::new();
        append(&mut roff, markdown);
        roff.to_roff()
    }

    #[test]
    fn headings_begin_sections_and_the_title_is_left_out() {
        assert_eq!(
            converted("# Title\n\n## A `key`\n\n### below\n"),
            ".SH \"A KEY\"\n.SS below\n"
        );
    }

    #[test]
    fn a_paragraph_keeps_its_emphasis_and_only_links_that_lead_out() {
        assert_eq!(
            converted("See [the file](cli.md#x), **now**\nor [the RFC](https://rfc.example/9457)."),
            ".PP\nSee the file, \\fBnow\\fR or the RFC <https://rfc.example/9457>.\n"
        );
    }

    #[test]
    fn a_block_of_code_keeps_its_lines() {
        assert_eq!(
            converted("```console\n# op25b check\n\n.ok\n```\n"),
            ".PP\n.RS 4\n.nf\n# op25b check\n\n\\&.ok\n.fi\n.RE\n"
        );
    }

    #[test]
    fn a_row_of_a_table_is_a_tagged_paragraph() {
        assert_eq!(
            converted(
                "| key | type | meaning |\n| --- | --- | --- |\n| `name` | text | what it is called |\n"
            ),
            ".TP\n\\fBname\\fR\ntype: text\n.br\nwhat it is called\n"
        );
        assert_eq!(
            converted("| a | b |\n| - | - |\n| 0 | done |\n"),
            ".TP\n0\ndone\n"
        );
    }

    #[test]
    fn an_item_of_a_list_is_an_indented_paragraph() {
        assert_eq!(
            converted("- one\n- two\n  - below\n"),
            ".IP \\(bu 2\none\n.IP \\(bu 2\ntwo\n.RS\n.IP \\(bu 2\nbelow\n.RE\n"
        );
    }
}
