//! The HTML of `op25b report` as Chromium lays it out: on a desk, on a narrow window, and on paper.
//!
//! Ignored unless it is asked for, since Chromium is large: `apt-get install chromium`, then
//! `cargo test --package op25b --test unprivileged -- --ignored in_chromium`.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command::op25b_in,
    report_command::{POLICY, WEEK, write_history, write_sessions},
};

/// Puts what the browser laid out into the document, from where `--dump-dom` prints it.
const MEASURE: &str = r#"<script>
const page = document.documentElement;
const box = element => element.getBoundingClientRect();
const chart = box(document.querySelector("svg.chart"));
const inside = element => { const b = box(element);
  return b.left >= chart.left && b.right <= chart.right + 1 && b.top >= chart.top && b.bottom <= chart.bottom + 1; };
const measured = {
  overflows: page.scrollWidth > page.clientWidth,
  bars: [...document.querySelectorAll(".chart rect")].filter(bar => box(bar).height > 0).length,
  outside: [...document.querySelectorAll(".chart rect, .chart text")].filter(part => !inside(part)).length,
  clipped: [...document.querySelectorAll("th, td")].filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent),
  fetched: performance.getEntriesByType("resource").map(entry => entry.name),
  rows: document.querySelectorAll("table.rows tbody tr").length,
};
document.body.innerHTML = "";
document.body.append("measured:" + JSON.stringify(measured) + ":measured");
</script>"#;

/// A report of a week by customer, with the script at its end, and as it is.
struct Pages(TempDir);

impl Pages {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("policy.yaml"), POLICY).unwrap();
        write_history(&path("state"));
        write_sessions(&path("state"));
        let report = op25b_in(directory.path())
            .args(["report", "--by", "customer", "--format", "html", "--policy"])
            .arg(path("policy.yaml"))
            .args(WEEK)
            .output()
            .unwrap();
        assert!(report.status.success(), "{report:?}");
        let html = String::from_utf8(report.stdout).unwrap();
        let measured = html.replacen("</body>", &format!("{MEASURE}</body>"), 1);
        assert_ne!(measured, html);
        fs::write(path("measured.html"), measured).unwrap();
        fs::write(path("report.html"), html).unwrap();
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Opens a page in Chromium without a window, and returns what it prints.
    fn open(&self, page: &str, options: &[&str]) -> String {
        let output = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .arg(format!(
                "--user-data-dir={}",
                self.path().join("profile").display()
            ))
            .args(options)
            .arg(format!("file://{}", self.path().join(page).display()))
            .output()
            .expect("Chromium is installed: `apt-get install chromium`");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn measured(&self, width: u32) -> Value {
        let page = self.open(
            "measured.html",
            &[&format!("--window-size={width},900"), "--dump-dom"],
        );
        let (_, page) = page.split_once("measured:").unwrap();
        let (measured, _) = page.split_once(":measured").unwrap();
        serde_json::from_str(measured).unwrap()
    }
}

#[test]
#[ignore = "requires Chromium"]
fn a_report_in_chromium_fits_a_wide_and_a_narrow_window_and_fetches_nothing() {
    let pages = Pages::new();
    for width in [1280, 500] {
        let measured = pages.measured(width);
        assert_eq!(measured["overflows"], false, "{width}: {measured}");
        // Five days with blocked and monitored packets.
        assert_eq!(measured["bars"], 10, "{width}: {measured}");
        assert_eq!(measured["outside"], 0, "{width}: {measured}");
        assert_eq!(measured["clipped"], serde_json::json!([]), "{width}: {measured}");
        assert_eq!(measured["fetched"], serde_json::json!([]), "{width}: {measured}");
        assert!(measured["rows"].as_u64() > Some(2), "{width}: {measured}");
    }
}

#[test]
#[ignore = "requires Chromium"]
fn a_report_in_chromium_is_printed_on_pages_of_paper() {
    let pages = Pages::new();
    let printed = pages.path().join("report.pdf");
    pages.open("report.html", &[&format!("--print-to-pdf={}", printed.display())]);
    let printed = fs::read(printed).unwrap();
    assert!(printed.starts_with(b"%PDF-"));
    // A4 in landscape, in points: the page says so itself, and not the printer.
    assert!(String::from_utf8_lossy(&printed).contains("/MediaBox [0 0 841.9"));
}
