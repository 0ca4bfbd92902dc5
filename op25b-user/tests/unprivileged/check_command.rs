//! `op25b check`: its exit codes and its output.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;

use crate::command::op25b_in;

const GOOD: &str = "version: 1\n\
    interfaces: [{ name: eth1, role: subscriber }]\n\
    pools: [{ name: residential, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]\n";
const WARNING: &str = "exemptions: [{ customer: A, prefixes: [192.0.2.8/29] }]\n";
const ERROR: &str = "relays: [{ name: post1, prefixes: [192.0.2.25/24] }]\n";

fn file(folder: &TempDir, sections: &[&str]) -> PathBuf {
    let path = folder.path().join("policy.yaml");
    fs::write(&path, sections.concat()).unwrap();
    path
}

fn check(file: &Path, options: &[&str]) -> Output {
    op25b_in(file.parent().unwrap())
        .arg("check")
        .args(options)
        .arg(file)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_good_policy_exits_with_0_and_a_summary() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &[GOOD]);
    let output = check(&path, &["--strict"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        out(&output),
        format!(
            "pool residential: IPv4: 0 of 1024 addresses exempt (0%); IPv6: 0 of 65536 /56 exempt (0%)\n\
             {}: ok: 1 pool (2 prefixes), 0 relays, 0 exemptions\n",
            path.display()
        )
    );
    assert_eq!(err(&output), "");
}

#[test]
fn a_warning_is_printed_and_fails_only_when_strict() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &[GOOD, WARNING]);
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        out(&output).ends_with("1 exemption; 1 warning\n"),
        "{}",
        out(&output)
    );
    assert!(
        err(&output).contains("warning[exemption-in-no-pool]"),
        "{}",
        err(&output)
    );

    let output = check(&path, &["--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).ends_with("not ok: 1 warning\n"), "{}", out(&output));
}

#[test]
fn an_enforcement_date_that_is_past_is_warned_of_and_one_to_come_is_not() {
    let folder = TempDir::new().unwrap();
    for (date, warnings) in [("2024-04-01", 1), ("2099-04-01", 0)] {
        let dated = GOOD.replace("residential,", &format!("residential, enforce_from: {date},"));
        let output = check(&file(&folder, &[&dated]), &["--json"]);
        assert_eq!(output.status.code(), Some(0), "{date}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["warnings"], warnings, "{document}");
        if warnings > 0 {
            let diagnostic = &document["diagnostics"][0];
            assert_eq!(diagnostic["code"], "enforce-from-past");
            assert_eq!(diagnostic["underlined"], date);
        }
    }
}

#[test]
fn an_error_exits_with_1_and_no_colour_in_a_pipe() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &[GOOD, ERROR]);
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).ends_with("not ok: 1 error\n"), "{}", out(&output));
    let errors = err(&output);
    assert!(
        errors.contains("error[host-bits]: `192.0.2.25/24` has host bits set"),
        "{errors}"
    );
    assert!(
        errors.contains(&format!("--> {}:4:36", path.display())),
        "{errors}"
    );
    assert!(errors.contains("hint: write 192.0.2.0/24"), "{errors}");
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
}

#[test]
fn a_file_that_is_not_there_exits_with_2() {
    let folder = TempDir::new().unwrap();
    for path in [folder.path().join("none.yaml"), folder.path().to_owned()] {
        let output = check(&path, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            err(&output).contains(&path.display().to_string()),
            "{}",
            err(&output)
        );
        assert_eq!(out(&output), "");
    }
}

#[test]
fn json_is_one_document_on_stdout_and_nothing_on_stderr() {
    let folder = TempDir::new().unwrap();
    for (sections, ok, errors, warnings, code) in [
        (&[GOOD][..], true, 0, 0, 0),
        (&[GOOD, WARNING], true, 0, 1, 0),
        (&[GOOD, ERROR], false, 1, 0, 1),
    ] {
        let output = check(&file(&folder, sections), &["--json"]);
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(err(&output), "");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["ok"], ok);
        assert_eq!(document["errors"], errors);
        assert_eq!(document["warnings"], warnings);
        assert_eq!(
            document["diagnostics"].as_array().unwrap().len(),
            errors + warnings
        );
        assert_eq!(document["policy"].is_null(), !ok);
        if !ok {
            let diagnostic = &document["diagnostics"][0];
            assert_eq!(diagnostic["code"], "host-bits");
            assert_eq!(
                (&diagnostic["line"], &diagnostic["column"]),
                (&4.into(), &36.into())
            );
            assert_eq!(diagnostic["underlined"], "192.0.2.25/24");
        }
    }
}

#[test]
fn the_tables_are_compared_with_the_policy_if_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &[GOOD]);
    let output = check(&path, &["--prove"]);
    assert_eq!(output.status.code(), Some(0));
    let proven = "proven: the tables give every address what the policy gives it (";
    assert!(out(&output).contains(proven), "{output:?}");
    let output = check(&path, &["--prove", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // What is before, in and after the pool of each family.
    assert_eq!(document["proof"]["sources"], 6, "{document}");
    assert!(!out(&check(&path, &[])).contains("proven"));
}

#[test]
fn the_exempt_part_of_a_pool_and_the_relays_in_it_are_shown() {
    let folder = TempDir::new().unwrap();
    let more = "relays: [{ name: post1, prefixes: [198.51.100.25, 203.0.113.1] }]\n\
                exemptions:\n  - { customer: A, prefixes: [198.51.100.8/29, '2001:db8:100::/48'] }\n  \
                - { customer: B, prefixes: [198.51.101.0/24], expires: 2020-01-01 }\n  \
                - { customer: C, prefixes: [198.51.102.0/30], destinations: [192.0.2.25] }\n";
    let path = file(&folder, &[GOOD, more]);
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert!(
        text.starts_with(
            "pool residential: IPv4: 8 of 1024 addresses exempt (0.8%), 4 to some destinations only; \
             IPv6: 256 of 65536 /56 exempt (0.4%)\n\
             pool residential: overlaps relay post1: 198.51.100.25/32\n"
        ),
        "{text}"
    );
    let document: serde_json::Value = serde_json::from_slice(&check(&path, &["--json"]).stdout).unwrap();
    let pool = &document["pools"][0];
    assert_eq!(
        (&pool["ipv4"]["exempt"], &pool["ipv4"]["exempt_to_some"]),
        (&8.into(), &4.into())
    );
    assert_eq!(pool["ipv6"]["exempt"], (1_u128 << 80).to_string());
    assert_eq!(pool["relays"][0]["prefixes"][0], "198.51.100.25/32");
}

#[test]
fn a_policy_in_utf16_is_told_so() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("policy.yaml");
    for (with_mark, command) in [(true, "iconv -f UTF-16 "), (false, "iconv -f UTF-16LE ")] {
        let text = if with_mark {
            format!("\u{feff}{GOOD}")
        } else {
            GOOD.to_owned()
        };
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&path, bytes).unwrap();
        let output = check(&path, &[]);
        assert_eq!(output.status.code(), Some(1));
        let errors = err(&output);
        assert!(
            errors.contains("error[not-utf8]: the file is UTF-16 text"),
            "{errors}"
        );
        assert!(errors.contains(command), "{errors}");
    }
}

#[test]
fn lists_are_checked_with_the_policy_and_their_content_is_counted() {
    let folder = TempDir::new().unwrap();
    let path = file(
        &folder,
        &[
            GOOD,
            "relays: [{ name: post1, prefixes_from: [post.txt] }]\nexemptions_from: [a.csv]\n",
        ],
    );
    fs::write(
        folder.path().join("post.txt"),
        "192.0.2.25\n192.0.2.26-192.0.2.27\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("a.csv"),
        "customer,prefixes\nA,198.51.100.8/29\n",
    )
    .unwrap();
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let place = folder.path().display();
    let text = out(&output);
    for line in [
        format!("{place}/post.txt: 2 prefixes\n"),
        format!("{place}/a.csv: 1 exemption\n"),
    ] {
        assert!(text.contains(&line), "{text}");
    }
    assert!(
        text.ends_with("policy.yaml: ok: 1 pool (2 prefixes), 1 relay, 1 exemption\n"),
        "{text}"
    );
    let document: serde_json::Value = serde_json::from_slice(&check(&path, &["--json"]).stdout).unwrap();
    assert_eq!(document["lists"][0]["prefixes"], 2, "{document}");
    assert_eq!(document["lists"][1]["exemptions"], 1, "{document}");

    fs::write(
        folder.path().join("a.csv"),
        "customer,prefixes\nA,198.51.100.9/29\n",
    )
    .unwrap();
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains(&format!("--> {place}/a.csv:2:3\n")),
        "{}",
        err(&output)
    );
    fs::remove_file(folder.path().join("a.csv")).unwrap();
    let output = check(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("error[list-unreadable]"),
        "{}",
        err(&output)
    );
}
