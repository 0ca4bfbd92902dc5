//! A page of metrics, of values that were counted elsewhere.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, prometheus_text, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::MetricsFormat;

/// The labels of one value. A large router has ten thousand values: words of the program are not copied for each.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// Families by their names.
#[derive(Default)]
pub(super) struct MetricsPage(BTreeMap<String, Family>);

/// The values of one name.
struct Family {
    help: String,
    values: Values,
}

/// In the order in which they were counted, which is the policy's.
#[derive(Debug)]
enum Values {
    Counters(Vec<(Labels, u64)>),
    Gauges(Vec<(Labels, i64)>),
    /// A gauge that is no whole number.
    Fraction(f64),
    /// No value, but what the labels say.
    Info(Labels),
}

impl MetricsPage {
    /// Its text, with the families in the order of their names. All of these begin with `op25b_`.
    pub(super) fn into_text(self, format: MetricsFormat) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("op25b");
        for (name, Family { help, values }) in self.0 {
            match unit(values.registered(&name)) {
                (name, Some(unit)) => registry.register_with_unit(name, help, unit, values),
                (name, None) => registry.register(name, help, values),
            }
        }
        let mut page = String::new();
        match format {
            MetricsFormat::Text => prometheus_text::encode(&mut page, &registry)?,
            MetricsFormat::OpenMetrics => text::encode(&mut page, &registry)?,
        }
        Ok(page)
    }

    /// Adds counters. The name has no `_total`: that is appended. Without a value there is no family.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let values = Vec::from_iter(values);
        if !values.is_empty() {
            self.add(format!("{name}{TOTAL}"), help, Values::Counters(values));
        }
    }

    /// Adds gauges. Without a value there is no family.
    pub(super) fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, i64)>) {
        let values = Vec::from_iter(values);
        if !values.is_empty() {
            self.add(name.to_owned(), help, Values::Gauges(values));
        }
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: i64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    /// Adds a gauge that is no whole number.
    pub(super) fn fraction(&mut self, name: &str, help: &str, value: f64) {
        self.add(name.to_owned(), help, Values::Fraction(value));
    }

    /// Adds what only its labels say. The name has no `_info`: that is appended.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: Labels) {
        self.add(format!("{name}{INFO}"), help, Values::Info(labels));
    }

    fn add(&mut self, name: String, help: &str, values: Values) {
        let help = help.to_owned();
        self.0.insert(name, Family { help, values });
    }
}

/// What the names of counters, and of what only labels say, end with on a page.
const TOTAL: &str = "_total";
const INFO: &str = "_info";

impl Values {
    /// The name to register them by, of the one that they have on the page.
    fn registered<'n>(&self, name: &'n str) -> &'n str {
        let end = match self {
            Self::Counters(_) => TOTAL,
            Self::Info(_) => INFO,
            Self::Gauges(_) | Self::Fraction(_) => "",
        };
        name.strip_suffix(end).unwrap_or(name)
    }
}

/// Splits the unit off, with which a name ends by Prometheus's rules.
fn unit(name: &str) -> (&str, Option<Unit>) {
    let mut units = [("_bytes", Unit::Bytes), ("_seconds", Unit::Seconds)].into_iter();
    let found = units.find_map(|(end, unit)| Some((name.strip_suffix(end)?, unit)));
    found.map_or((name, None), |(name, unit)| (name, Some(unit)))
}

impl EncodeMetric for Values {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counters(values) => values.iter().try_for_each(|(labels, value)| {
                ConstCounter::new(*value).encode(encoder.encode_family(labels)?)
            }),
            Self::Gauges(values) => values.iter().try_for_each(|(labels, value)| {
                ConstGauge::new(*value).encode(encoder.encode_family(labels)?)
            }),
            Self::Fraction(value) => ConstGauge::new(*value).encode(encoder),
            Self::Info(labels) => encoder.encode_info(labels),
        }
    }

    fn metric_type(&self) -> MetricType {
        match self {
            Self::Counters(_) => MetricType::Counter,
            Self::Gauges(_) | Self::Fraction(_) => MetricType::Gauge,
            Self::Info(_) => MetricType::Info,
        }
    }
}

pub(super) fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned().into())]
}

pub(super) fn signed(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> MetricsPage {
        let mut page = MetricsPage::default();
        page.counters("b", "B", [(label("x", "2"), 3), (label("x", "1"), 1)]);
        page.gauges("none", "N", []);
        page.fraction("offset_seconds", "O", 0.5);
        page.counter("dropped_bytes", "D", 9);
        page.info("build", "V", label("version", "a\"b"));
        page.gauge("a", "A", 7);
        page
    }

    #[test]
    fn families_are_in_the_order_of_their_names_and_one_without_series_is_left_out() {
        let expected = "\
# HELP op25b_a A.
# TYPE op25b_a gauge
op25b_a 7
# HELP op25b_b_total B.
# TYPE op25b_b_total counter
op25b_b_total{x=\"2\"} 3
op25b_b_total{x=\"1\"} 1
# HELP op25b_build_info V.
# TYPE op25b_build_info gauge
op25b_build_info{version=\"a\\\"b\"} 1
# HELP op25b_dropped_bytes_total D.
# TYPE op25b_dropped_bytes_total counter
op25b_dropped_bytes_total 9
# HELP op25b_offset_seconds O.
# TYPE op25b_offset_seconds gauge
op25b_offset_seconds 0.5
";
        assert_eq!(page().into_text(MetricsFormat::Text).unwrap(), expected);
    }

    #[test]
    fn openmetrics_names_families_without_their_endings_and_has_units_and_an_end() {
        let expected = "\
# HELP op25b_a A.
# TYPE op25b_a gauge
op25b_a 7
# HELP op25b_b B.
# TYPE op25b_b counter
op25b_b_total{x=\"2\"} 3
op25b_b_total{x=\"1\"} 1
# HELP op25b_build V.
# TYPE op25b_build info
op25b_build_info{version=\"a\\\"b\"} 1
# HELP op25b_dropped_bytes D.
# TYPE op25b_dropped_bytes counter
# UNIT op25b_dropped_bytes bytes
op25b_dropped_bytes_total 9
# HELP op25b_offset_seconds O.
# TYPE op25b_offset_seconds gauge
# UNIT op25b_offset_seconds seconds
op25b_offset_seconds 0.5
# EOF
";
        assert_eq!(page().into_text(MetricsFormat::OpenMetrics).unwrap(), expected);
    }
}
