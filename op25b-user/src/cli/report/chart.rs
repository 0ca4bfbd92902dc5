//! The chart of attempts by day: a column for each day of the period, as coordinates.

use jiff::civil::Date;
use serde::Serialize;

use crate::report::activity::{DaySum, Sum};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 260.0;
/// Room for the numbers at the left, and for the dates below.
const LEFT: f64 = 80.0;
const BELOW: f64 = 22.0;
const ABOVE: f64 = 10.0;
/// The most dates that have room.
const LABELS: usize = 12;
/// The most columns: of a longer period the last days are shown.
const DAYS: usize = 400;

/// A chart.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    width: f64,
    height: f64,
    left: f64,
    lines: Vec<Line>,
    days: Vec<Column>,
}

/// A horizontal line, and what it stands for.
#[derive(Debug, Serialize)]
struct Line {
    y: f64,
    value: u64,
}

#[derive(Debug, Serialize)]
struct Column {
    x: f64,
    width: f64,
    blocked: Part,
    monitored: Part,
    /// The date, where there is room for it.
    label: Option<String>,
    title: String,
}

#[derive(Debug, Serialize)]
struct Part {
    y: f64,
    height: f64,
}

impl Chart {
    /// The chart of the days from `first` to `last`; `None` if nothing happened.
    pub(super) fn new(days: &[DaySum], first: Date, last: Date) -> Option<Self> {
        let top = scale_end(days.iter().map(|day| day.sum.packets).max()?)?;
        let days = every_day(days, first, last);
        let step = (WIDTH - LEFT) / number(days.len());
        let every = days.len().div_ceil(LABELS);
        let columns = days.iter().enumerate().map(|(index, (day, sum))| {
            let monitored = Part::above(HEIGHT - BELOW - height(sum.blocked, top), sum.monitored, top);
            Column {
                x: rounded(LEFT + number(index) * step + step * 0.1),
                width: rounded(step * 0.8),
                blocked: Part::above(HEIGHT - BELOW, sum.blocked, top),
                monitored,
                label: (index % every == 0).then(|| day.strftime("%m-%d").to_string()),
                title: format!(
                    "{day}: {} blocked, {} monitored, {} active",
                    sum.blocked, sum.monitored, sum.rows
                ),
            }
        });
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            days: columns.collect(),
            lines: (0..=2)
                .map(|half| Line {
                    y: rounded(HEIGHT - BELOW - height(top / 2 * half, top)),
                    value: top / 2 * half,
                })
                .collect(),
        })
    }
}

impl Part {
    /// A part of a column that stands on a height.
    fn above(bottom: f64, count: u64, top: u64) -> Self {
        let height = height(count, top);
        Self {
            y: rounded(bottom - height),
            height: rounded(height),
        }
    }
}

/// Each day of the period: those with attempts, and the others.
fn every_day(days: &[DaySum], first: Date, last: Date) -> Vec<(Date, Sum)> {
    // A bucket that lies on the beginning or the end has a packet of another day.
    let first = days.first().map_or(first, |day| day.day.min(first));
    let last = days.last().map_or(last, |day| day.day.max(last));
    let mut all = Vec::new();
    let mut day = last;
    let mut active = days.iter().rev().peekable();
    while day >= first && all.len() < DAYS {
        let sum = active.next_if(|active| active.day == day);
        all.push((day, sum.map_or_else(Sum::default, |active| active.sum)));
        let Ok(before) = day.yesterday() else { break };
        day = before;
    }
    all.reverse();
    all
}

/// The end of a scale: the next of 2, 4, 10, 20, 40, 100 and so on. `None` for nothing.
fn scale_end(most: u64) -> Option<u64> {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let mut ends = powers.flat_map(|power| [2, 4, 10].map(|digit| power.saturating_mul(digit)));
    (most > 0).then(|| ends.find(|end| *end >= most))?
}

fn height(count: u64, top: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a tenth of a pixel is shown")]
    let share = count as f64 / top as f64;
    (HEIGHT - BELOW - ABOVE) * share
}

fn number(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are at most some hundred")]
    let number = count.max(1) as f64;
    if count == 0 { 0.0 } else { number }
}

/// To a tenth, as files are shorter.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str, blocked: u64, monitored: u64) -> DaySum {
        DaySum {
            day: day.parse().unwrap(),
            sum: Sum {
                blocked,
                monitored,
                packets: blocked + monitored,
                ..Sum::default()
            },
        }
    }

    #[test]
    fn a_chart_has_a_column_for_each_day_and_its_parts_stand_on_one_another() {
        let days = [day("2026-11-23", 50, 25), day("2026-11-25", 0, 100)];
        let chart = Chart::new(
            &days,
            "2026-11-22".parse().unwrap(),
            "2026-11-25".parse().unwrap(),
        )
        .unwrap();
        assert_eq!(chart.days.len(), 4);
        assert_eq!(
            chart.lines.iter().map(|line| line.value).collect::<Vec<_>>(),
            [0, 50, 100]
        );
        let [empty, both, ..] = &chart.days[..] else {
            unreachable!()
        };
        assert!(empty.blocked.height == 0.0 && empty.monitored.height == 0.0);
        assert!((both.monitored.y + both.monitored.height - both.blocked.y).abs() < 0.2);
        assert!((both.blocked.height - chart.days[3].monitored.height / 2.0).abs() < 0.2);
        assert!(Chart::new(&[], "2026-11-22".parse().unwrap(), "2026-11-25".parse().unwrap()).is_none());
    }

    #[test]
    fn a_scale_ends_at_a_round_number() {
        let ends = [0, 1, 3, 4, 9, 11, 4999, u64::MAX].map(scale_end);
        assert_eq!(
            ends,
            [
                None,
                Some(2),
                Some(4),
                Some(4),
                Some(10),
                Some(20),
                Some(10_000),
                Some(u64::MAX)
            ]
        );
    }
}
