//! The format that a client prefers, by the header `Accept` of its request (RFC 9110).

use hyper::{HeaderMap, header::ACCEPT};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams as _, names};

use crate::report::MetricsFormat;

/// The parameter by which versions of a format differ. Others, such as `charset`, choose nothing here.
const VERSION: Name<'static> = Name::new_unchecked("version");
/// The parameter of a range, and of no type: how much it is liked, from 0 to 1.
const QUALITY: Name<'static> = Name::new_unchecked("q");

/// The format of the two that a request likes better; Prometheus's text format if it likes both alike, or neither.
pub(super) fn preferred(headers: &HeaderMap) -> MetricsFormat {
    let values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = values.flat_map(MediaTypeList::new).flatten().collect();
    let quality = |format: MetricsFormat| {
        let matching = ranges.iter().filter_map(|range| {
            let specific = specificity(range, format)?;
            Some((specific, quality(range)))
        });
        // The range that says most decides, not the one that is liked most.
        matching
            .max_by_key(|(specific, _)| *specific)
            .map_or(0.0, |(_, quality)| quality)
    };
    if quality(MetricsFormat::OpenMetrics) > quality(MetricsFormat::Text) {
        MetricsFormat::OpenMetrics
    } else {
        MetricsFormat::Text
    }
}

/// How much a range says of a format that it has.
fn specificity(range: &MediaType<'_>, format: MetricsFormat) -> Option<u8> {
    let of_format = MediaType::parse(format.media_type()).ok()?;
    let (has_type, has_subtype) = (range.ty == of_format.ty, range.subty == of_format.subty);
    if range.subty == names::_STAR {
        let is_any = range.ty == names::_STAR;
        return (is_any || has_type).then_some(u8::from(!is_any));
    }
    let version = range.get_param(VERSION);
    let has_version = version.is_none() || version == of_format.get_param(VERSION);
    (has_type && has_subtype && has_version).then_some(2 + u8::from(version.is_some()))
}

/// How much a range is liked; a number that cannot be read counts as none.
fn quality(range: &MediaType<'_>) -> f32 {
    let quality = range.get_param(QUALITY);
    quality.map_or(1.0, |quality| quality.as_str().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_range_that_says_most_of_a_format_decides_and_the_higher_quality_wins() {
        use MetricsFormat::{OpenMetrics, Text};
        for (accept, expected) in [
            // Prometheus 2 and 3.
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                   text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ][..],
                OpenMetrics,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                   application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                   text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
            // One that is told to use the old format only.
            (&["text/plain;version=0.0.4;q=0.5,*/*;q=0.1"], Text),
            // curl, and a browser.
            (&["*/*"], Text),
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                Text,
            ),
            (&[], Text),
            (&["application/openmetrics-text"], OpenMetrics),
            (
                &["APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"; q=0.001"],
                OpenMetrics,
            ),
            (
                &["application/openmetrics-text; version=0.0.1, text/plain; q=0.1"],
                Text,
            ),
            (&["application/openmetrics-text; version=2.0.0"], Text),
            (&["application/openmetrics-text;q=0.4, text/plain;q=0.5"], Text),
            (&["application/openmetrics-text;q=0.5, text/plain;q=0.5"], Text),
            (
                &["application/openmetrics-text;q=0.501, text/plain;q=0.5"],
                OpenMetrics,
            ),
            // 0 is a refusal, whatever a wider range says.
            (&["application/openmetrics-text;q=0, */*"], Text),
            (&["text/plain;q=0, */*;q=0.1"], OpenMetrics),
            (&["application/*;q=0.9, text/plain;q=0.3"], OpenMetrics),
            (
                &["application/*;q=0.2, application/openmetrics-text;version=1.0.0;q=0.9, text/*;q=0.5"],
                OpenMetrics,
            ),
            // Several lines are one list.
            (
                &["text/plain;q=0.3", "application/openmetrics-text;q=0.6"],
                OpenMetrics,
            ),
            (&["application/openmetrics-text;q=high"], Text),
            (&["nothing of this kind"], Text),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(preferred(&headers), expected, "{accept:?}");
        }
    }
}
