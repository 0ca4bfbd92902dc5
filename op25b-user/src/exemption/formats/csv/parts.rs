//! Reads the rows of a long file in two threads.

use std::thread;

use super::{
    super::{columns::Columns, mistakes::Mistakes},
    Header, Row,
    records::Records,
};

/// From this length on, a text is read in two threads.
const LONG: usize = 1 << 20;

/// Calls `found` with each row whose cells have no mistake in their form, in two parts of the text at once, and with the state of that
/// part. Returns the states in the order of the parts, and the mistakes in the other rows.
pub(crate) fn for_each_row<S: Send>(
    text: &str,
    columns: &Columns,
    states: [S; 2],
    found: impl Fn(&mut S, &Row<'_>) + Sync,
) -> (Vec<S>, Mistakes) {
    let middle = (text.len() >= LONG).then(|| line_after(text, text.len() / 2));
    read(text, columns, middle.flatten(), states, found)
}

/// Where a line begins after a place; none if a reader that begins there would read it in another way: it skips a byte order mark.
fn line_after(text: &str, place: usize) -> Option<usize> {
    let line_feed = text.as_bytes()[place..].iter().position(|byte| *byte == b'\n')?;
    let line = place + line_feed + 1;
    let rest = &text[line..];
    (!rest.is_empty() && !rest.starts_with('\u{feff}')).then_some(line)
}

/// A quoted cell may go beyond the middle. Then the first thread does not come to a row that begins there, goes on, and what the second
/// one has read is of no use. Neither is it if that has found no row: the last one of the text is then the first thread's.
fn read<S: Send>(
    text: &str,
    columns: &Columns,
    middle: Option<usize>,
    [mut first, mut second]: [S; 2],
    found: impl Fn(&mut S, &Row<'_>) + Sync,
) -> (Vec<S>, Mistakes) {
    let mut records = Records::from(text, 0);
    let header = match Header::read(&mut records, columns) {
        Ok(header) => header,
        Err(mistakes) => return (vec![first], mistakes),
    };
    let rows = &|records: &mut Records<'_>, end: usize, state: &mut S, mistakes: &mut Mistakes| {
        while !records.have_reached(end) && records.advance() {
            if let Some(row) = header.row(records, mistakes)
                && row.check(mistakes)
            {
                found(state, &row);
            }
        }
    };
    let mut mistakes = Mistakes::default();
    thread::scope(|scope| {
        if let Some(middle) = middle {
            let rest = move || {
                let (mut records, mut mistakes) = (Records::from(text, middle), Mistakes::default());
                rows(&mut records, usize::MAX, &mut second, &mut mistakes);
                records.check_end(&mut mistakes);
                (second, mistakes, records.have_begun())
            };
            let thread = thread::Builder::new().name("list".to_owned());
            let thread = thread.spawn_scoped(scope, rest);
            rows(&mut records, middle, &mut first, &mut mistakes);
            if records.is_at(middle)
                && let Ok(Ok((second, others, true))) = thread.map(thread::ScopedJoinHandle::join)
            {
                mistakes.append(others);
                return (vec![first, second], mistakes);
            }
        }
        rows(&mut records, usize::MAX, &mut first, &mut mistakes);
        records.check_end(&mut mistakes);
        (vec![first], mistakes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows that are found in each part, and the mistakes.
    fn found(text: &str, middle: Option<usize>) -> (Vec<Vec<String>>, Mistakes) {
        let states = [Vec::new(), Vec::new()];
        read(text, &Columns::default(), middle, states, |rows, row| {
            let at = row.offset_of(row.prefixes);
            rows.push(format!("{} {at} {}", row.line, row.customer));
        })
    }

    #[test]
    fn two_parts_have_the_rows_and_mistakes_of_one_wherever_the_second_begins() {
        let rows = "customer,prefixes,note\nA,192.0.2.1,\n\nB,192.0.2.2,\"two\nlines\nand one\"\n,,\n# a\n# b\nC,192.0.2.3\n";
        let many = format!("customer,prefixes\n{}", "A,192.0.2.1\n,192.0.2.1\nB\n".repeat(20));
        for text in [
            rows,
            &rows.replace('\n', "\r\n"),
            &rows.replace('\n', "\n\n\r\n"),
            &format!("{rows}D,192.0.2.4,\"open\nE,192.0.2.5,\n"),
            &format!("{rows}D,192.0.2.4,a\"b\n# the end\n\n"),
            "customer,prefixes\nA,192.0.2.1\n\u{feff}B,192.0.2.2\nC,192.0.2.3\n",
            &many,
        ] {
            let (alone, mistakes) = found(text, None);
            for (line_feed, _) in text.match_indices('\n') {
                let Some(middle) = line_after(text, line_feed) else {
                    continue;
                };
                let parts = found(text, Some(middle));
                assert_eq!(
                    (parts.0.concat(), &parts.1),
                    (alone.concat(), &mistakes),
                    "{middle} of {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_long_text_is_read_in_two_parts_of_about_the_same_length() {
        let text = format!("customer,prefixes\n{}", "A,192.0.2.1\n".repeat(LONG / 12));
        let counts = |text: &str| {
            let (counts, _) = for_each_row(text, &Columns::default(), [0_usize; 2], |count, _| *count += 1);
            counts
        };
        let both = counts(&text);
        assert_eq!(both.iter().sum::<usize>(), LONG / 12);
        assert!(both.len() == 2 && both[0].abs_diff(both[1]) < 10, "{both:?}");
        assert_eq!(counts(&text[..LONG / 2]).len(), 1);
    }
}
