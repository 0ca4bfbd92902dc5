//! A report as CSV: a line for each row, with the members of the JSON document as columns.
//!
//! No cell is a formula of a spreadsheet, whoever chose the name in it.

use std::io;

use jiff::Timestamp;

use crate::{
    exemption::formats::guarded,
    report::activity::{Class, Mode, Report, Row, subscriber},
    time::show,
};

/// A column: its name, and the cell of a row.
type Column = (&'static str, fn(&Row<'_>) -> String);

const COLUMNS: [Column; 20] = [
    ("customer", |row| text(row.customer)),
    ("subscriber", |row| subscriber(&row.subscriber)),
    ("pool", |row| text(row.pool)),
    ("mode", |row| text(row.mode.map(Mode::name))),
    ("class", |row| text(row.class.map(Class::word))),
    ("packets", |row| row.packets.to_string()),
    ("blocked", |row| row.blocked.to_string()),
    ("monitored", |row| row.monitored.to_string()),
    ("syns", |row| row.syns.to_string()),
    ("hidden", |row| row.hidden.to_string()),
    ("destinations", |row| row.destinations.to_string()),
    ("destinations_error", |row| {
        row.destinations_error
            .map_or_else(String::new, |error| error.to_string())
    }),
    ("days", |row| row.days.to_string()),
    ("hours", |row| row.hours.to_string()),
    ("most_destinations", |row| row.most_destinations.to_string()),
    ("most_syns", |row| row.most_syns.to_string()),
    ("first_seen", |row| time(row.first_seen)),
    ("last_seen", |row| time(row.last_seen)),
    ("exemption", |row| text(row.exemption)),
    ("exemption_customer", |row| text(row.exemption_customer)),
];

/// Writes a report. A report by subscriber has no column for the customer.
pub(super) fn write<K>(report: &Report<'_, K>, out: impl io::Write) -> Result<(), csv::Error> {
    let has_customers = report.has_customers();
    let columns = || {
        COLUMNS
            .iter()
            .filter(|(name, _)| has_customers || *name != "customer")
    };
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns().map(|(name, _)| name))?;
    for row in report.rows() {
        writer.write_record(columns().map(|(_, cell)| cell(&row)))?;
    }
    writer.flush()?;
    Ok(())
}

fn text(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| guarded(text).into_owned())
}

fn time(at: Timestamp) -> String {
    show::utc(at)
}
