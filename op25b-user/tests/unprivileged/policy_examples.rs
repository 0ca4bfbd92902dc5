//! The policies in `policies/`, and the one that packages install, are valid and complete.

use std::{ffi::OsStr, fs, path::PathBuf};

use op25b::policy;

fn examples() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("yaml")))
        .collect();
    files.sort();
    files
}

#[test]
fn every_example_loads_and_compiles_without_a_warning() {
    let files = examples();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let loaded = policy::read(&file).unwrap_or_else(|error| match error {
            policy::ReadError::Invalid(report) => panic!("{report}"),
            error => panic!("{error}"),
        });
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        policy::compile(&loaded.policy).unwrap();
    }
}

#[test]
fn the_policy_that_packages_install_is_valid_and_enforces_nothing() {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/policy.yaml"));
    let loaded = policy::read(&file).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    // No interface has this name, and none is waited for that could appear by itself.
    let names: Vec<_> = loaded
        .policy
        .interfaces
        .iter()
        .map(|interface| interface.name.as_str())
        .collect();
    assert_eq!(names, ["edit-me"]);
    let modes: Vec<_> = loaded.policy.pools.iter().map(|pool| pool.mode).collect();
    assert_eq!(modes, [policy::PoolMode::Monitor]);
}

#[test]
fn every_example_begins_with_a_word_on_when_to_use_it() {
    for file in examples() {
        let text = fs::read_to_string(&file).unwrap();
        let comment: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(
            comment.contains("Use it") || comment.to_lowercase().contains("use"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn the_reference_shows_every_key() {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/reference.yaml")).unwrap();
    for key in policy::KEYS.into_iter().flatten() {
        // A key that excludes one of the others is shown in a comment.
        let is_shown = text.lines().any(|line| {
            line.trim_start_matches([' ', '-', '#'])
                .starts_with(&format!("{key}:"))
        });
        assert!(is_shown, "{key}");
    }
}

#[test]
fn the_documents_name_every_diagnostic() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md")).unwrap();
    for code in policy::Code::ALL {
        assert!(
            text.contains(&format!("| `{code}` |")),
            "docs/policy.md does not explain {code}"
        );
    }
}

/// The first policy of the README, as it is pasted.
fn first_policy() -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, section) = readme.split_once("\n## First policy\n").unwrap();
    let (_, block) = section.split_once("\n```yaml\n").unwrap();
    block.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn the_first_policy_of_the_readme_is_clean_as_it_is_pasted() {
    let loaded = policy::parse("policy.yaml", &first_policy()).unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    policy::compile(&loaded.policy).unwrap();
}

#[test]
fn every_key_in_a_comment_of_the_first_policy_is_clean_as_well() {
    let text = first_policy();
    let mut keys = Vec::new();
    let with_keys: String = text
        .lines()
        .map(|line| match line.split_once("# ") {
            // A comment of a whole line is a key; one after a key is a remark.
            Some((indent, key)) if indent.trim().is_empty() => {
                keys.extend(key.split_once(':').map(|(key, _)| key.to_owned()));
                format!("{indent}{key}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(keys, ["xdp", "wait", "tunnels"]);
    let loaded = policy::parse("policy.yaml", &with_keys).unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert!(text.contains("mode: monitor") && with_keys.contains("tunnels: [4in6]"));
}
