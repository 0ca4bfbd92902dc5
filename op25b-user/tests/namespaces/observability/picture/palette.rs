//! The 256 colours of a picture that are most frequent: its file is half as long as one with all of them.

use std::collections::HashMap;

/// A colour, of three bytes.
type Pixel = [u8; 3];

/// How many colours an image has at most.
const MOST: usize = 256;

/// The colours of some pixels one after the other, and for each pixel the number of its colour, or of the one that is nearest.
pub fn indexed(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (pixels, _) = pixels.as_chunks::<3>();
    let mut frequency = HashMap::<Pixel, usize>::new();
    for pixel in pixels {
        *frequency.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<_> = frequency.into_iter().collect();
    colours.sort_by_key(|(colour, count)| (usize::MAX - count, *colour));
    let palette: Vec<Pixel> = colours.iter().take(MOST).map(|(colour, _)| *colour).collect();
    let numbers: HashMap<Pixel, u8> = colours
        .iter()
        .map(|(colour, _)| {
            let nearest = (0..=u8::MAX)
                .zip(&palette)
                .min_by_key(|(_, other)| distance(*colour, **other));
            (*colour, nearest.unwrap().0)
        })
        .collect();
    let indices = pixels.iter().map(|pixel| numbers[pixel]).collect();
    (palette.into_flattened(), indices)
}

fn distance(one: Pixel, other: Pixel) -> u32 {
    let channels = one.into_iter().zip(other);
    channels
        .map(|(one, other)| u32::from(one.abs_diff(other)).pow(2))
        .sum()
}
