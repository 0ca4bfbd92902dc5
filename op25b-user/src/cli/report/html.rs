//! A report as one HTML file, which links to nothing.
//!
//! The template escapes every text: customers' names are chosen by customers.

use std::io;

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use super::{chart::Chart, table};
use crate::{
    report::activity::{PoolSum, Report, Row, Sum, subscriber},
    time::show,
};

/// Its name is what has the template escape HTML.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("report.html");

/// What the template shows.
#[derive(Serialize)]
struct Page<'a> {
    title: String,
    period: String,
    gaps: Vec<String>,
    policy_file: String,
    written: String,
    version: &'static str,
    noun: &'static str,
    has_customers: bool,
    heading: String,
    total: Sum,
    chart: Option<Chart>,
    classes: Vec<Named<'a>>,
    most_of_class: u64,
    pools: Vec<Named<'a>>,
    most_of_pool: u64,
    rows: Vec<ShownRow<'a>>,
}

/// The sum of a class or a pool.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    /// Of a pool.
    mode: String,
    sum: Sum,
}

/// A row as it is shown.
#[derive(Serialize)]
struct ShownRow<'a> {
    customer: &'a str,
    subscriber: String,
    pool: &'a str,
    class: &'static str,
    packets: u64,
    blocked: u64,
    monitored: u64,
    syns: u64,
    destinations: String,
    days: u32,
    hours: u32,
    last_seen: String,
    exemption: &'a str,
}

/// Writes a report; times are those of a time zone.
pub(super) fn write<K>(
    report: &Report<'_, K>,
    time_zone: &TimeZone,
    out: impl io::Write,
) -> anyhow::Result<()> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("grouped", grouped);
    environment.add_function("share", share);
    environment.add_template(NAME, TEMPLATE)?;
    let page = Serde(page(report, time_zone, Timestamp::now()));
    let template = environment.get_template(NAME)?;
    template
        .render_captured_to(page, out)
        .context("cannot write the report")?;
    Ok(())
}

fn page<'a, K>(report: &'a Report<'_, K>, time_zone: &TimeZone, now: Timestamp) -> Page<'a> {
    let noun = report.by.noun();
    let of_pool = report
        .pool
        .as_ref()
        .map_or_else(String::new, |pool| format!(" of pool {pool}"));
    let date = |at: Timestamp| at.to_zoned_datetime(time_zone.clone()).date();
    let classes: Vec<_> = report
        .classes
        .iter()
        .map(|class| Named {
            name: class.class.map_or("without readable ports", |class| class.name()),
            mode: String::new(),
            sum: class.sum,
        })
        .collect();
    let pools: Vec<_> = report
        .pools
        .iter()
        .map(|pool| Named {
            name: pool.pool.as_deref().unwrap_or("in no pool of the policy"),
            mode: mode(pool, time_zone),
            sum: pool.sum,
        })
        .collect();
    Page {
        title: format!("Attempts to send mail by port 25{of_pool}, by {noun}"),
        period: table::period(&report.period, time_zone),
        gaps: {
            let rest = report.not_attributed.iter().flat_map(table::not_attributed);
            table::gaps(report, time_zone).into_iter().chain(rest).collect()
        },
        policy_file: report.policy_file.display().to_string(),
        written: show::minute(now, time_zone),
        version: env!("CARGO_PKG_VERSION"),
        noun,
        has_customers: report.has_customers(),
        heading: match report.rows().len() {
            all if all == report.matching => format!("All {all} {noun}s by packets"),
            listed => format!(
                "The {listed} {noun}s of {} with the most packets",
                report.matching
            ),
        },
        total: report.total,
        chart: Chart::new(&report.days, date(report.period.since), date(report.period.until)),
        most_of_class: most(&classes),
        classes,
        most_of_pool: most(&pools),
        pools,
        rows: report.rows().map(|row| ShownRow::new(&row, time_zone)).collect(),
    }
}

impl<'a> ShownRow<'a> {
    fn new(row: &Row<'a>, time_zone: &TimeZone) -> Self {
        Self {
            customer: row.customer.unwrap_or_default(),
            subscriber: subscriber(&row.subscriber),
            pool: row.pool.unwrap_or("-"),
            class: row.class.map_or("-", |class| class.name()),
            packets: row.packets,
            blocked: row.blocked,
            monitored: row.monitored,
            syns: row.syns,
            destinations: table::destinations(row),
            days: row.days,
            hours: row.hours,
            last_seen: show::minute(row.last_seen, time_zone),
            exemption: row.exemption_customer.unwrap_or_default(),
        }
    }
}

/// What the policy does with a pool's packets.
fn mode(pool: &PoolSum, time_zone: &TimeZone) -> String {
    let mode = pool.mode.map_or("-", |mode| mode.name());
    match pool.enforce_from {
        Some(from) => format!("{mode} until {}", show::minute(from, time_zone)),
        None => mode.to_owned(),
    }
}

fn most(named: &[Named<'_>]) -> u64 {
    named
        .iter()
        .map(|named| named.sum.packets)
        .max()
        .unwrap_or_default()
}

/// A share in percent, to a tenth.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a tenth of a percent is shown")]
    let share = part as f64 / whole.max(1) as f64;
    (share * 1000.0).round() / 10.0
}

/// A number with its digits in groups of three, `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
