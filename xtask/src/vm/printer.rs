//! Prints what a machine prints: with a label, whole lines only, as other machines print at the same time.

use std::io::Write;

/// Prints to one output.
pub struct Printer<'a, W: Write> {
    output: W,
    label: Option<&'a str>,
    /// The line that has not ended yet.
    line: Vec<u8>,
}

impl<'a, W: Write> Printer<'a, W> {
    /// Without a label, what comes is printed at once.
    pub const fn new(output: W, label: Option<&'a str>) -> Self {
        Self {
            output,
            label,
            line: Vec::new(),
        }
    }

    /// Prints what came. Where nobody reads it, the caller still has it.
    pub fn add(&mut self, part: &[u8]) {
        let Some(label) = self.label else {
            drop(self.output.write_all(part).and_then(|()| self.output.flush()));
            return;
        };
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = [label.as_bytes(), b": ", &self.line].concat();
                drop(self.output.write_all(&line));
                self.line.clear();
            }
        }
    }
}

impl<W: Write> Drop for Printer<'_, W> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.add(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(label: Option<&str>, parts: &[&str]) -> String {
        let mut output = Vec::new();
        let mut printer = Printer::new(&mut output, label);
        for part in parts {
            printer.add(part.as_bytes());
        }
        drop(printer);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn each_line_has_the_label_in_whatever_parts_it_comes() {
        assert_eq!(
            printed(Some("6.1"), &["one\ntw", "o\n\nthr", "ee"]),
            "6.1: one\n6.1: two\n6.1: \n6.1: three\n"
        );
        assert_eq!(printed(None, &["one\ntw", "o"]), "one\ntwo");
    }
}
