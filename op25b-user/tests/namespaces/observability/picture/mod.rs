//! Pictures for the documents: panels of a dashboard, and the screen of a terminal.

mod palette;
pub mod panel;
pub mod screen;
mod text;
pub mod unit;

use std::{fs, path::Path};

use plotters::{
    backend::BitMapBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::Rectangle,
    style::{Color as _, RGBColor},
};

/// What everything is drawn on.
type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Titles and values.
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2e);
/// Labels.
const GREY: RGBColor = RGBColor(0x57, 0x60, 0x6a);
/// Frames and grids.
const LIGHT: RGBColor = RGBColor(0xd8, 0xdd, 0xe3);

/// The largest file that a document may show.
const MOST_BYTES: usize = 100 * 1024;

/// Draws a picture of this size and writes it as a PNG file, unless the file is too large for a document.
pub fn write(path: &Path, (width, height): (u32, u32), background: RGBColor, draw: impl FnOnce(&Area<'_>)) {
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&background).unwrap();
        draw(&area);
        area.present().unwrap();
    }
    let (palette, indices) = palette::indexed(&pixels);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    // Large areas are of one colour.
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&indices).unwrap();
    writer.finish().unwrap();
    assert!(
        file.len() <= MOST_BYTES,
        "{}: {} bytes",
        path.display(),
        file.len()
    );
    fs::write(path, file).unwrap();
}

/// Fills a rectangle.
fn fill(area: &Area<'_>, (left, top): (i32, i32), (right, bottom): (i32, i32), colour: RGBColor) {
    area.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled()))
        .unwrap();
}
