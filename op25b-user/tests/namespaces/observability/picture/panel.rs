//! The panels of a dashboard, each at its place in a grid, as Grafana shows them.

use std::ops::Range;

use plotters::{
    element::{PathElement, Rectangle},
    style::{Color as _, RGBColor},
};

use super::{
    Area, GREY, INK, LIGHT, WHITE, fill,
    text::{bold, cut, plain, width, write, write_around},
    unit::Unit,
};

/// The pixels of a whole row of panels, of a column of the grid, and of a line of it.
pub const WIDTH: i32 = 1200;
const COLUMN: i32 = WIDTH / 24;
const LINE: i32 = 30;
/// Between panels, and between a panel's frame and its content.
const GAP: i32 = 4;
const PADDING: i32 = 10;
/// The height of a title, and of a line of text.
const TITLE: i32 = 26;
const TEXT: i32 = 16;
const SIZE: f32 = 14.0;
/// The width of the labels beside a chart.
const LABELS: i32 = 74;

/// The colours of series, in turn.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x37, 0x87, 0x2d),
    RGBColor(0xe0, 0x8b, 0x00),
    RGBColor(0x1f, 0x60, 0xc4),
    RGBColor(0xc4, 0x16, 0x2a),
    RGBColor(0x8f, 0x3b, 0xb8),
    RGBColor(0x00, 0x8f, 0x9c),
    RGBColor(0x8a, 0x5a, 0x2b),
    RGBColor(0x6e, 0x7a, 0x86),
];

/// A place in the grid.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub column: i32,
    pub line: i32,
    pub columns: i32,
    pub lines: i32,
}

/// A panel.
#[derive(Debug)]
pub struct Panel {
    pub title: String,
    pub place: Place,
    pub unit: Unit,
    pub content: Content,
}

/// What is in it.
#[derive(Debug)]
pub enum Content {
    /// Values, each with its name if there are several, on a colour.
    Values(Vec<(String, f64)>, RGBColor),
    /// Values over time.
    Lines(Vec<Series>),
    /// States over time, with the word and the colour of each value.
    States(Vec<Series>, Vec<(f64, String, RGBColor)>),
    /// A table, with its head.
    Table(Vec<Vec<String>>),
}

/// The values of one name, each with its time in Unix seconds.
#[derive(Debug)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// The size of a picture of some panels.
pub fn size(panels: &[Panel]) -> (u32, u32) {
    let lines = lines(panels);
    let height = (lines.end - lines.start) * LINE;
    (WIDTH.cast_unsigned(), height.cast_unsigned())
}

fn lines(panels: &[Panel]) -> Range<i32> {
    let first = panels.iter().map(|panel| panel.place.line).min();
    let end = panels
        .iter()
        .map(|panel| panel.place.line + panel.place.lines)
        .max();
    first.unwrap()..end.unwrap()
}

/// Draws them, with a time axis of this range.
pub fn draw(area: &Area<'_>, panels: &[Panel], times: &Range<f64>) {
    let first = lines(panels).start;
    for panel in panels {
        let Place {
            column,
            line,
            columns,
            lines,
        } = panel.place;
        let (left, top) = (column * COLUMN + GAP, (line - first) * LINE + GAP);
        let (wide, high) = (columns * COLUMN - 2 * GAP, lines * LINE - 2 * GAP);
        fill(area, (left, top), (left + wide, top + high), LIGHT);
        let background = match &panel.content {
            Content::Values(_, colour) => *colour,
            _ => WHITE,
        };
        fill(
            area,
            (left + 1, top + 1),
            (left + wide - 1, top + high - 1),
            background,
        );
        let inner = Frame {
            left: left + PADDING,
            top: top + TITLE + 4,
            wide: wide - 2 * PADDING,
            high: high - TITLE - 4 - PADDING / 2,
        };
        let ink = if background == WHITE { INK } else { WHITE };
        let title = bold(SIZE + 1.0, ink);
        let shown = cut(&panel.title, title, inner.wide);
        write(area, &shown, title, (inner.left, top + 15));
        match &panel.content {
            Content::Values(values, _) => inner.values(area, values, panel.unit),
            Content::Lines(series) => inner.lines(area, series, panel.unit, times),
            Content::States(series, words) => inner.states(area, series, words, times),
            Content::Table(rows) => inner.table(area, rows),
        }
    }
}

/// The content of a panel.
struct Frame {
    left: i32,
    top: i32,
    wide: i32,
    high: i32,
}

impl Frame {
    fn values(&self, area: &Area<'_>, values: &[(String, f64)], unit: Unit) {
        let count = i32::try_from(values.len()).unwrap();
        let (large, small) = (bold(36.0, WHITE), plain(SIZE, WHITE));
        for ((name, value), number) in values.iter().zip(0..) {
            let centre = self.left + self.wide * (2 * number + 1) / (2 * count);
            if count > 1 {
                write_around(area, name, small, (centre, self.top + 6));
            }
            let middle = self.top + self.high / 2;
            write_around(area, &unit.shown(*value), large, (centre, middle));
        }
    }

    fn lines(&self, area: &Area<'_>, series: &[Series], unit: Unit, times: &Range<f64>) {
        let legend = self.legend(area, series);
        let values = || {
            series
                .iter()
                .flat_map(|series| &series.points)
                .map(|(_, value)| *value)
        };
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        // A chart of zeros has an axis, too.
        let high = if high <= low {
            1.0
        } else {
            high + (high - low) * 0.06
        };
        let plot = Plot {
            left: self.left + LABELS,
            right: self.left + self.wide - 6,
            top: self.top + 4,
            bottom: self.top + self.high - legend - 22,
            times: times.clone(),
            values: low..high,
        };
        let (scale, label) = (unit.scale(high.max(-low)), plain(SIZE, GREY));
        for value in ticks(low / scale.divisor, high / scale.divisor, 4).map(|tick| tick * scale.divisor) {
            let (_, y) = plot.place((times.start, value));
            fill(area, (plot.left, y), (plot.right, y + 1), LIGHT);
            let text = scale.shown(value);
            write(area, &text, label, (plot.left - 8 - width(&text, label), y));
        }
        // Whole minutes, or halves of one, as far as there is room.
        let step = match self.wide {
            ..300 => 120.0,
            300..500 => 60.0,
            _ => 30.0,
        };
        let first = (times.start / step).ceil();
        let times = (0..).map(|number| (first + f64::from(number)) * step);
        for time in times.take_while(|time| *time <= plot.times.end) {
            let (x, _) = plot.place((time, low));
            fill(area, (x, plot.top), (x + 1, plot.bottom), LIGHT);
            let text = clock(time);
            if x + width(&text, label) / 2 <= self.left + self.wide {
                write_around(area, &text, label, (x, plot.bottom + 12));
            }
        }
        for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
            let points: Vec<_> = series.points.iter().map(|point| plot.place(*point)).collect();
            area.draw(&PathElement::new(points, colour.stroke_width(2)))
                .unwrap();
        }
    }

    /// Draws the names of series below the place of their chart; the pixels that they take.
    fn legend(&self, area: &Area<'_>, series: &[Series]) -> i32 {
        const MARK: i32 = 18;
        let style = plain(SIZE, GREY);
        let (mut places, mut left, mut line) = (Vec::new(), 0, 0);
        for series in series {
            let wide = MARK + width(&series.name, style) + 14;
            if left > 0 && left + wide > self.wide {
                (left, line) = (0, line + 1);
            }
            places.push((left, line));
            left += wide;
        }
        let high = if series.is_empty() {
            0
        } else {
            (line + 1) * TEXT + 2
        };
        for (((left, line), series), colour) in places.into_iter().zip(series).zip(COLOURS.iter().cycle()) {
            let left = self.left + left;
            let middle = self.top + self.high - high + TEXT / 2 + 2 + line * TEXT;
            fill(area, (left, middle - 1), (left + 12, middle + 2), *colour);
            let name = cut(&series.name, style, self.wide - MARK);
            write(area, &name, style, (left + MARK, middle));
        }
        high
    }

    #[expect(clippy::float_cmp, reason = "the values of states are whole numbers")]
    fn states(
        &self,
        area: &Area<'_>,
        series: &[Series],
        words: &[(f64, String, RGBColor)],
        times: &Range<f64>,
    ) {
        // As many as there are have to fit.
        let bottom = self.top + self.high - TEXT - 4;
        let each = (bottom - self.top) / i32::try_from(series.len().max(1)).unwrap();
        let label = plain(if each < TEXT { 11.0 } else { SIZE }, GREY);
        let names = series.iter().map(|series| width(&series.name, label)).max();
        let names = names.unwrap_or_default().min(self.wide / 2) + 10;
        let wide = self.wide - names;
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let place = |time: f64| {
            let share = (time - times.start) / (times.end - times.start);
            self.left + names + (share.clamp(0.0, 1.0) * f64::from(wide)) as i32
        };
        for (series, number) in series.iter().zip(0..) {
            let (top, high) = (self.top + number * each, each - each.min(4));
            let middle = top + high / 2;
            let name = cut(&series.name, label, names - 10);
            write(area, &name, label, (self.left, middle));
            for state in series.points.chunk_by(|(_, one), (_, other)| one == other) {
                let ((begin, value), (end, _)) = (state[0], state[state.len() - 1]);
                let (_, word, colour) = words.iter().find(|(of, ..)| *of == value).unwrap();
                // Until the next point.
                let (begin, end) = (place(begin), place(end + 1.0));
                area.draw(&Rectangle::new(
                    [(begin, top), (end, top + high)],
                    colour.filled(),
                ))
                .unwrap();
                let white = plain(SIZE, WHITE);
                if high >= TEXT && width(word, white) + 8 < end - begin {
                    write(area, word, white, (begin + 6, middle));
                }
            }
        }
        for share in [0.0, 0.5, 1.0] {
            let time = times.start + (times.end - times.start) * share;
            let text = clock(time);
            let half = width(&text, label) / 2;
            let centre = place(time).min(self.left + self.wide - half);
            write_around(area, &text, label, (centre, bottom + 12));
        }
    }

    fn table(&self, area: &Area<'_>, rows: &[Vec<String>]) {
        let (head, cell) = (bold(SIZE, GREY), plain(SIZE, INK));
        let columns = rows.first().map_or(0, Vec::len);
        let wide = |column: usize| {
            let cells = rows.iter().map(|row| width(&row[column], head));
            // Digests are longer than what can be shown.
            (cells.max().unwrap_or_default() + 18).min(self.wide * 2 / 5)
        };
        let mut left = 0;
        for column in 0..columns {
            for (row, number) in rows.iter().zip(0..) {
                let style = if number == 0 { head } else { cell };
                let text = cut(&row[column], style, wide(column) - 10);
                let middle = self.top + TEXT / 2 + number * (TEXT + 6);
                write(area, &text, style, (self.left + left, middle));
            }
            left += wide(column);
        }
    }
}

/// The place of a chart's values.
struct Plot {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    times: Range<f64>,
    values: Range<f64>,
}

impl Plot {
    /// The pixel of a point.
    fn place(&self, (time, value): (f64, f64)) -> (i32, i32) {
        let share = |at: f64, of: &Range<f64>| (at - of.start) / (of.end - of.start);
        let (wide, high) = (
            f64::from(self.right - self.left),
            f64::from(self.bottom - self.top),
        );
        let (x, y) = (share(time, &self.times) * wide, share(value, &self.values) * high);
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let place = (self.left + x.round() as i32, self.bottom - y.round() as i32);
        place
    }
}

/// Round numbers in a range, about so many.
fn ticks(low: f64, high: f64, number: u32) -> impl Iterator<Item = f64> {
    let rough = (high - low) / f64::from(number);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    let ticks = (0..).map(move |number| (first + f64::from(number)) * step);
    ticks.take_while(move |tick| *tick <= high)
}

/// The time of the day, in UTC.
fn clock(time: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of this century")]
    let time = jiff::Timestamp::from_second(time as i64).unwrap();
    time.strftime("%H:%M:%S").to_string()
}
