//! A page of metrics in Prometheus's text format, of values that were counted elsewhere.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The labels of one value.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A registry of values that were counted elsewhere.
pub(super) struct MetricsPage(Registry);

impl MetricsPage {
    /// A page without families. The names of all begin with `op25b_`.
    pub(super) fn new() -> Self {
        Self(Registry::with_prefix("op25b"))
    }

    /// Its text, with the families and their series in the order of their names and labels.
    pub(super) fn to_text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0)?;
        Ok(sorted(&text))
    }

    /// Registers counters. The name has no `_total`: the encoder appends it.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, i64)>) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: i64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    /// Registers a gauge that is no whole number.
    pub(super) fn fraction(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }
}

pub(super) fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

pub(super) fn signed(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A page with its families in the order of their names, and the series of each in the order of their labels: the encoder's is that of
/// a hash table, another one each time. A family without a series is left out.
fn sorted(page: &str) -> String {
    let mut families: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in page.lines() {
        if line.starts_with("# HELP ") {
            families.push((Vec::new(), Vec::new()));
        }
        if let Some((head, series)) = families.last_mut() {
            if line.starts_with('#') {
                head.push(line);
            } else {
                series.push(line);
            }
        }
    }
    families.retain(|(_, series)| !series.is_empty());
    families.sort();
    let mut text = String::new();
    for (head, mut series) in families {
        series.sort_unstable();
        for line in head.into_iter().chain(series) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_series_have_an_order_and_a_family_without_series_is_left_out() {
        let page = "# HELP op25b_b_total B.\n# TYPE op25b_b_total counter\nop25b_b_total{x=\"2\"} 1\nop25b_b_total{x=\"1\"} 3\n\
            # HELP op25b_none N.\n# TYPE op25b_none gauge\n# HELP op25b_a A.\n# TYPE op25b_a gauge\nop25b_a 7\n";
        let expected = "# HELP op25b_a A.\n# TYPE op25b_a gauge\nop25b_a 7\n# HELP op25b_b_total B.\n\
            # TYPE op25b_b_total counter\nop25b_b_total{x=\"1\"} 3\nop25b_b_total{x=\"2\"} 1\n";
        assert_eq!(sorted(page), expected);
    }
}
