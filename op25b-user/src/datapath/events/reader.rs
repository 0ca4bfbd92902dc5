//! Reads events from the ring buffer of a filter.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use aya::maps::{Map, MapData, RingBuf};
use op25b_common::{event::PacketEvent, names::EVENTS};

use crate::datapath::sys::bpf::map::MapError;

/// The reader of a filter's events. Its descriptor is readable while there are any; it outlives the filter, so that what the
/// filter has written until it was replaced can be read to the end.
pub struct EventReader(RingBuf<MapData>);

impl EventReader {
    pub(crate) fn new(map: Map) -> Result<Self, MapError> {
        RingBuf::try_from(map).map(Self).map_err(MapError::read(EVENTS))
    }

    /// The next event; `None` if there is none now.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is not over when there is none: the next packet may have one"
    )]
    pub fn next(&mut self) -> Option<PacketEvent> {
        loop {
            let entry = self.0.next()?;
            // The program writes entries of no other length.
            if let Ok(bytes) = <&[u8; size_of::<PacketEvent>()]>::try_from(&*entry) {
                // SAFETY: as long as an event, for which any bit pattern is valid; it need not be aligned.
                return Some(unsafe { bytes.as_ptr().cast::<PacketEvent>().read_unaligned() });
            }
        }
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventReader").field(&self.as_raw_fd()).finish()
    }
}

impl AsFd for EventReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for EventReader {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
