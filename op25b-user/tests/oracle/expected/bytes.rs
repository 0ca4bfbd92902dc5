//! The bytes of a frame that can be read.

/// Where the farthest header can begin: one that begins later cannot be read.
pub const FARTHEST: usize = 0x3fff;

/// A frame whose bytes after an end, where there is one, cannot be read.
#[derive(Clone, Copy)]
pub struct Bytes<'f> {
    pub frame: &'f [u8],
    pub end: Option<usize>,
}

impl<'f> Bytes<'f> {
    /// A whole frame.
    pub fn of(frame: &'f [u8]) -> Self {
        Self { frame, end: None }
    }

    /// The same frame up to this end at most.
    pub fn until(self, end: Option<usize>) -> Self {
        let end = match (self.end, end) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { end, ..self }
    }

    /// `count` bytes from `at`, if all of them can be read.
    pub fn get(self, at: usize, count: usize) -> Option<&'f [u8]> {
        self.from(at)?.get(..count)
    }

    /// Everything that can be read from `at` on.
    pub fn from(self, at: usize) -> Option<&'f [u8]> {
        self.frame.get(at..self.readable())
    }

    /// How far one can read.
    pub fn readable(self) -> usize {
        self.end.map_or(self.frame.len(), |end| end.min(self.frame.len()))
    }

    pub fn byte(self, at: usize) -> Option<u8> {
        Some(self.get(at, 1)?[0])
    }

    pub fn number(self, at: usize) -> Option<u16> {
        let bytes = self.get(at, 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}
