//! The screen of a terminal, of the text with the sequences for colours that tmux captures.

use plotters::style::RGBColor;

use super::{
    Area, fill,
    text::{mono, write},
};

/// The pixels of a character.
const CELL: (i32, i32) = (9, 18);
/// The size of the font that fits into it.
const SIZE: f32 = 17.4;
/// Around the screen.
const MARGIN: i32 = 10;

pub const BACKGROUND: RGBColor = RGBColor(0x1e, 0x22, 0x27);
const FOREGROUND: RGBColor = RGBColor(0xd6, 0xda, 0xde);

/// The first 16 colours of a terminal.
const PALETTE: [RGBColor; 16] = [
    RGBColor(0x2e, 0x34, 0x3a),
    RGBColor(0xe0, 0x5c, 0x5c),
    RGBColor(0x6c, 0xb8, 0x64),
    RGBColor(0xdb, 0xac, 0x4a),
    RGBColor(0x5c, 0x9d, 0xe0),
    RGBColor(0xb8, 0x7c, 0xd0),
    RGBColor(0x52, 0xb5, 0xb8),
    RGBColor(0xc4, 0xc9, 0xcf),
    RGBColor(0x7d, 0x86, 0x90),
    RGBColor(0xf0, 0x80, 0x80),
    RGBColor(0x8f, 0xd1, 0x87),
    RGBColor(0xf0, 0xc6, 0x6e),
    RGBColor(0x85, 0xb8, 0xf0),
    RGBColor(0xd0, 0x9f, 0xe4),
    RGBColor(0x7f, 0xd0, 0xd2),
    RGBColor(0xff, 0xff, 0xff),
];

/// The size of a picture of a screen with so many columns and lines.
pub fn size((columns, lines): (u16, u16)) -> (u32, u32) {
    let pixels = |cells: u16, cell: i32| (i32::from(cells) * cell + 2 * MARGIN).cast_unsigned();
    (pixels(columns, CELL.0), pixels(lines, CELL.1))
}

/// How a character is shown.
#[derive(Clone, Copy, Default)]
struct Look {
    colour: Option<RGBColor>,
    background: Option<RGBColor>,
    is_reversed: bool,
    is_dim: bool,
}

/// Draws a screen.
pub fn draw(area: &Area<'_>, screen: &str) {
    let mut look = Look::default();
    for (line, number) in screen.lines().zip(0..) {
        let (mut rest, mut column) = (line, 0);
        while let Some(character) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\u{1b}[") {
                let end = sequence
                    .find('m')
                    .expect("tmux writes sequences for colours only");
                look.change(&sequence[..end]);
                rest = &sequence[end + 1..];
                continue;
            }
            let at = (MARGIN + column * CELL.0, MARGIN + number * CELL.1);
            look.draw(area, character, at);
            rest = &rest[character.len_utf8()..];
            column += 1;
        }
    }
}

impl Look {
    /// Follows the parameters of a sequence.
    fn change(&mut self, parameters: &str) {
        let mut codes = parameters
            .split(';')
            .map(|code| code.parse::<usize>().unwrap_or_default());
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                2 => self.is_dim = true,
                22 => self.is_dim = false,
                7 => self.is_reversed = true,
                27 => self.is_reversed = false,
                30..=37 => self.colour = Some(PALETTE[code - 30]),
                90..=97 => self.colour = Some(PALETTE[code - 90 + 8]),
                39 => self.colour = None,
                40..=47 => self.background = Some(PALETTE[code - 40]),
                100..=107 => self.background = Some(PALETTE[code - 100 + 8]),
                49 => self.background = None,
                38 | 48 => {
                    assert_eq!(codes.next(), Some(5), "only colours of the palette");
                    let colour = codes.next().map(|index| PALETTE[index]);
                    *(if code == 38 {
                        &mut self.colour
                    } else {
                        &mut self.background
                    }) = colour;
                }
                // Bold, underlined and the like are not shown.
                _ => {}
            }
        }
    }

    fn draw(self, area: &Area<'_>, character: char, (left, top): (i32, i32)) {
        let (mut colour, mut background) = (
            self.colour.unwrap_or(FOREGROUND),
            self.background.unwrap_or(BACKGROUND),
        );
        if self.is_dim {
            colour = PALETTE[8];
        }
        if self.is_reversed {
            std::mem::swap(&mut colour, &mut background);
        }
        let (right, bottom) = (left + CELL.0, top + CELL.1);
        if background != BACKGROUND {
            fill(area, (left, top), (right, bottom), background);
        }
        // The eighths of a cell, from below.
        if let Some(eighths) = (1..=8)
            .zip('\u{2581}'..='\u{2588}')
            .find(|(_, block)| *block == character)
        {
            let high = CELL.1 * eighths.0 / 8;
            fill(area, (left, bottom - high), (right - 1, bottom), colour);
        } else if character != ' ' {
            let middle = top + CELL.1 / 2;
            write(area, &character.to_string(), mono(SIZE, colour), (left, middle));
        }
    }
}
