//! `op25b check`: its exit codes and its output.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

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
    Command::new(env!("CARGO_BIN_EXE_op25b"))
        .arg("check")
        .args(options)
        .arg(file)
        .env_remove("RUST_LOG")
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
            "{}: ok: 1 pool (2 prefixes), 0 relays, 0 exemptions\n",
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
