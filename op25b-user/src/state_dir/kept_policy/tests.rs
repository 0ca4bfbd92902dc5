//! A policy that is kept is read as it was written, or not at all.

use std::io::{Seek as _, SeekFrom};

use super::*;

const LAST: Slot = Slot::LastGood;
const TEXT: &[u8] = b"version: 1\nnote: \xe2\x82\xac\n";

/// No lists.
fn none() -> [&'static [u8]; 0] {
    []
}

fn origin(text: &[u8]) -> Origin {
    Origin {
        sha256: policy::digest(text),
        enforced_at: Timestamp::UNIX_EPOCH,
        policy_file: "/etc/op25b/policy.yaml".into(),
        lists: Vec::new(),
    }
}

#[test]
fn what_is_kept_is_read_byte_by_byte_and_is_a_policy_file_itself() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(KeptPolicy::read(dir.path(), LAST).unwrap(), None);
    // Also texts without an end of line, without anything, and of any bytes.
    for text in [TEXT, b"version: 1", b"", b"\xff\n\n"] {
        KeptPolicy::write(dir.path(), LAST, &origin(text), &mut &text[..], &mut none()).unwrap();
        let read = KeptPolicy::read(dir.path(), LAST).unwrap().unwrap();
        assert_eq!((read.origin, &read.text[..]), (origin(text), text));
    }
    let policy: &[u8] = b"version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
        pools: [{ name: residential, prefixes: [198.51.100.0/24] }]\n";
    KeptPolicy::write(dir.path(), LAST, &origin(policy), &mut &policy[..], &mut none()).unwrap();
    policy::read(&KeptPolicy::path(dir.path(), LAST)).unwrap();
}

#[test]
fn a_text_that_has_changed_since_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    KeptPolicy::write(dir.path(), LAST, &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
    let refused = KeptPolicy::write(
        dir.path(),
        LAST,
        &origin(b"another"),
        &mut &b"another one"[..],
        &mut none(),
    );
    assert!(matches!(refused, Err(KeptPolicyError::Changed(_))), "{refused:?}");
    assert_eq!(KeptPolicy::read(dir.path(), LAST).unwrap().unwrap().text, TEXT);
}

#[test]
fn no_flipped_bit_and_no_cut_text_is_taken_for_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    KeptPolicy::write(dir.path(), LAST, &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
    let path = KeptPolicy::path(dir.path(), LAST);
    let whole = fs::read(&path).unwrap();
    let before = KeptPolicy::read(dir.path(), LAST).unwrap().unwrap();
    let text_begins = whole.len() - TEXT.len();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Some((_, text)) = parse(&damaged) {
            // The digest is that of the text: of the rest only what is shown may differ.
            assert!(bit / 8 < text_begins && text == before.text, "bit {bit}");
        }
    }
    for length in 0..whole.len() {
        assert_eq!(parse(&whole[..length]), None, "{length} bytes");
    }
    fs::write(&path, &whole[..text_begins]).unwrap();
    let error = KeptPolicy::read(dir.path(), LAST).unwrap_err().to_string();
    assert!(error.ends_with("is damaged"), "{error}");
}

fn with_lists(text: &[u8], lists: &[(&str, &[u8])]) -> Origin {
    let lists: Vec<KeptList> = lists
        .iter()
        .map(|(name, text)| KeptList {
            name: (*name).to_owned(),
            sha256: policy::digest(text),
        })
        .collect();
    let digests = lists.iter().map(|list| Some(&*list.sha256));
    Origin {
        sha256: policy::combined(&policy::digest(text), digests),
        lists: lists.clone(),
        ..origin(text)
    }
}

fn kept_lists(dir: &Path) -> usize {
    fs::read_dir(dir.join(LAST.lists())).map_or(0, Iterator::count)
}

#[test]
fn lists_are_kept_with_their_policy_and_removed_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let lists: [(&str, &[u8]); 3] = [("a.txt", b"192.0.2.0/24\n"), ("../b.csv", b"x"), ("c", b"x")];
    let first = with_lists(TEXT, &lists);
    KeptPolicy::write(
        dir.path(),
        LAST,
        &first,
        &mut &TEXT[..],
        &mut lists.map(|(_, text)| text),
    )
    .unwrap();
    let read = KeptPolicy::read(dir.path(), LAST).unwrap().unwrap();
    assert_eq!((&read.origin, &read.text[..]), (&first, TEXT));
    for (name, text) in lists {
        assert_eq!(read.lists[name], text, "{name}");
    }
    // The same text is kept once.
    assert_eq!(kept_lists(dir.path()), 2);

    let second = with_lists(TEXT, &lists[1..2]);
    KeptPolicy::write(dir.path(), LAST, &second, &mut &TEXT[..], &mut [&b"x"[..]]).unwrap();
    assert_eq!(
        KeptPolicy::read(dir.path(), LAST).unwrap().unwrap().lists.len(),
        1
    );
    assert_eq!(kept_lists(dir.path()), 1);

    KeptPolicy::write(dir.path(), LAST, &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
    assert!(
        KeptPolicy::read(dir.path(), LAST)
            .unwrap()
            .unwrap()
            .lists
            .is_empty()
    );
    assert!(!dir.path().join(LAST.lists()).exists());
}

#[test]
fn a_list_that_has_changed_since_leaves_the_policy_before() {
    let dir = tempfile::tempdir().unwrap();
    let lists: [(&str, &[u8]); 1] = [("a.txt", b"192.0.2.0/24\n")];
    let first = with_lists(TEXT, &lists);
    KeptPolicy::write(dir.path(), LAST, &first, &mut &TEXT[..], &mut [lists[0].1]).unwrap();
    let second = with_lists(TEXT, &[("a.txt", b"198.51.100.0/24\n")]);
    let refused = KeptPolicy::write(dir.path(), LAST, &second, &mut &TEXT[..], &mut [&b"half"[..]]);
    assert!(matches!(refused, Err(KeptPolicyError::Changed(_))), "{refused:?}");
    assert_eq!(KeptPolicy::read(dir.path(), LAST).unwrap().unwrap().origin, first);
}

#[test]
fn a_list_that_is_damaged_missing_or_elsewhere_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let lists: [(&str, &[u8]); 1] = [("a.txt", b"192.0.2.0/24\n")];
    let origin = with_lists(TEXT, &lists);
    let write = || KeptPolicy::write(dir.path(), LAST, &origin, &mut &TEXT[..], &mut [lists[0].1]).unwrap();
    write();
    let path = origin.lists[0].path(dir.path(), LAST);
    fs::write(&path, "192.0.2.0/25\n").unwrap();
    let error = KeptPolicy::read(dir.path(), LAST).unwrap_err().to_string();
    assert!(error.ends_with("is damaged"), "{error}");
    // Writing it again mends it.
    write();
    KeptPolicy::read(dir.path(), LAST).unwrap().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(KeptPolicy::read(dir.path(), LAST).is_err());

    let mut elsewhere = origin;
    elsewhere.lists[0].sha256 = "../../etc/passwd".to_owned();
    let line = serde_json::to_string(&elsewhere).unwrap();
    assert_eq!(parse(format!("{MARK}{line}\n").as_bytes()), None);
}

#[test]
fn the_unconfirmed_policy_is_kept_beside_the_last_good_one_and_read_from_its_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let lists: [(&str, &[u8]); 1] = [("a.txt", b"192.0.2.0/24\n")];
    let (good, unconfirmed) = (origin(TEXT), with_lists(b"version: 1\n", &lists));
    KeptPolicy::write(dir.path(), LAST, &good, &mut &TEXT[..], &mut none()).unwrap();
    let slot = Slot::Unconfirmed;
    KeptPolicy::write(
        dir.path(),
        slot,
        &unconfirmed,
        &mut &b"version: 1\n"[..],
        &mut [lists[0].1],
    )
    .unwrap();
    assert!(KeptPolicy::is_kept(dir.path(), LAST, &good.sha256));
    assert!(!KeptPolicy::is_kept(dir.path(), LAST, &unconfirmed.sha256));
    assert!(KeptPolicy::is_kept(dir.path(), slot, &unconfirmed.sha256));

    let mut opened = KeptPolicy::open(dir.path(), slot, &unconfirmed).unwrap();
    KeptPolicy::remove(dir.path(), slot).unwrap();
    assert_eq!(KeptPolicy::read(dir.path(), slot).unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // What is open is there all the same.
    let mut text = String::new();
    opened.file.seek(SeekFrom::Start(opened.text_at)).unwrap();
    opened.file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "version: 1\n");
    assert_eq!(opened.lists.len(), 1);
    // To remove nothing is no error.
    KeptPolicy::remove(dir.path(), slot).unwrap();
}
