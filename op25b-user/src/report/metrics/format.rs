//! The formats of a page of metrics.

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricsFormat {
    /// Prometheus's text format 0.0.4, which everything reads.
    Text,
    /// The text format of `OpenMetrics` 1.0.0, which has units, and an end by which a page that was cut off is known.
    OpenMetrics,
}

impl MetricsFormat {
    /// Its media type, for HTTP.
    #[must_use]
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The one that has it.
    pub(crate) fn of_media_type(media_type: &[u8]) -> Option<Self> {
        let mut formats = [Self::Text, Self::OpenMetrics].into_iter();
        formats.find(|format| format.media_type().as_bytes() == media_type)
    }
}
