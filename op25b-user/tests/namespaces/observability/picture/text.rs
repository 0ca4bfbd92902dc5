//! Text in a picture, in fonts of Debian's package `fonts-dejavu-core`.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "pixels"
)]

use std::{fs, path::Path, sync::LazyLock};

use ab_glyph::{Font as _, FontVec, PxScale, ScaleFont as _, point};
use plotters::style::{Color as _, RGBColor};

use super::Area;

static PLAIN: LazyLock<FontVec> = LazyLock::new(|| font("DejaVuSans.ttf"));
static BOLD: LazyLock<FontVec> = LazyLock::new(|| font("DejaVuSans-Bold.ttf"));
static MONO: LazyLock<FontVec> = LazyLock::new(|| font("DejaVuSansMono.ttf"));

fn font(file: &str) -> FontVec {
    let path = Path::new("/usr/share/fonts/truetype/dejavu").join(file);
    let font = fs::read(path).expect("fonts-dejavu-core is installed");
    FontVec::try_from_vec(font).unwrap()
}

/// A font of some size and colour.
#[derive(Clone, Copy)]
pub struct Style {
    font: &'static FontVec,
    size: f32,
    colour: RGBColor,
}

/// That of labels.
pub fn plain(size: f32, colour: RGBColor) -> Style {
    let font = &PLAIN;
    Style { font, size, colour }
}

/// That of titles.
pub fn bold(size: f32, colour: RGBColor) -> Style {
    let font = &BOLD;
    Style { font, size, colour }
}

/// That of terminals.
pub fn mono(size: f32, colour: RGBColor) -> Style {
    let font = &MONO;
    Style { font, size, colour }
}

/// The pixels that a text is wide.
pub fn width(text: &str, style: Style) -> i32 {
    let font = style.font.as_scaled(style.size);
    let glyphs = text
        .chars()
        .map(|character| font.h_advance(font.glyph_id(character)));
    glyphs.sum::<f32>().ceil() as i32
}

/// A text, cut so that it fits.
pub fn cut(text: &str, style: Style, most: i32) -> String {
    if width(text, style) <= most {
        return text.to_owned();
    }
    let mut cut = text.to_owned();
    while cut.pop().is_some() {
        let shown = format!("{}…", cut.trim_end());
        if width(&shown, style) <= most {
            return shown;
        }
    }
    cut
}

/// Writes a text from a place on, at the middle of its height.
pub fn write(area: &Area<'_>, text: &str, style: Style, (left, middle): (i32, i32)) {
    let font = style.font.as_scaled(style.size);
    let baseline = middle as f32 + f32::midpoint(font.ascent(), font.descent());
    let mut at = left as f32;
    for character in text.chars() {
        let glyph = font.glyph_id(character);
        let placed = glyph.with_scale_and_position(PxScale::from(style.size), point(at, baseline));
        at += font.h_advance(glyph);
        let Some(outline) = style.font.outline_glyph(placed) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|x, y, coverage| {
            let place = (corner.x as i32 + x as i32, corner.y as i32 + y as i32);
            area.draw_pixel(place, &style.colour.mix(f64::from(coverage)))
                .unwrap();
        });
    }
}

/// Writes a text around a place.
pub fn write_around(area: &Area<'_>, text: &str, style: Style, (centre, middle): (i32, i32)) {
    write(area, text, style, (centre - width(text, style) / 2, middle));
}
