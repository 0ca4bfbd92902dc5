//! Tables as other programs write them: their columns, their cells and their encodings, and tables for spreadsheets.

use std::fs;

use serde_json::{Value, json};

use crate::exempt_command::{
    daemon::{Reply, Request, ok},
    scene::{Scene, record, shown},
};

fn imported(request: &Request) -> Reply {
    let rows = request.body["exemptions"].as_array().unwrap().len();
    ok(&json!({ "dry_run": false, "added": rows, "unchanged": 0, "lapsed": 0, "warnings": [] }))
}

/// The exemptions that were sent in one request.
fn sent(request: &Request) -> Vec<Value> {
    let rows = request.body["exemptions"].as_array().unwrap();
    rows.iter().map(|row| row["exemption"].clone()).collect()
}

#[test]
fn commas_blanks_and_semicolons_separate_prefixes_in_a_cell_and_on_the_command_line() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let text =
        "customer,prefixes\nA,\"198.51.100.8/29, 198.51.100.16/29\"\nB,198.51.100.24/29;198.51.100.32/29\n";
    let answer = scene.op25b_fed(&["exempt", "import", "--format", "csv", "-"], text);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let added = [
        "exempt",
        "add",
        "198.51.100.8/29, 198.51.100.16/29",
        "--customer",
        "A",
    ];
    scene.op25b(
        &[
            &added[..],
            &["--dest", "192.0.2.1, 192.0.2.2", "--dest", "192.0.2.3;192.0.2.4"],
        ]
        .concat(),
    );
    let requests = daemon.requests();
    let sent = sent(&requests[0]);
    assert_eq!(
        sent[0]["prefixes"],
        json!(["198.51.100.8/29", "198.51.100.16/29"])
    );
    assert_eq!(
        sent[1]["prefixes"],
        json!(["198.51.100.24/29", "198.51.100.32/29"])
    );
    let body = &requests[1].body;
    assert_eq!(body["prefixes"], json!(["198.51.100.8/29", "198.51.100.16/29"]));
    assert_eq!(
        body["destinations"],
        json!(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])
    );
}

#[test]
fn an_address_and_its_mask_are_never_sent_as_two_addresses() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let text = "customer,prefixes\nA,198.51.100.40 255.255.255.248\n";
    let refused = scene.op25b_fed(&["exempt", "import", "--format", "csv", "-"], text);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.starts_with("stdin:2: `prefixes`: ") && refused.stderr.contains("198.51.100.40/29"),
        "{refused:?}"
    );
    let words = [
        "exempt",
        "add",
        "198.51.100.40",
        "255.255.255.248",
        "--customer",
        "A",
    ];
    scene.op25b(&words);
    let requests = daemon.requests();
    let one = json!(["198.51.100.40 255.255.255.248"]);
    assert_eq!(requests[0].body["prefixes"], one);
}

#[test]
fn a_table_of_other_columns_is_read_by_the_names_that_are_given() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let text = "# IPAM, 2028-03-31\r\nCircuit Name,CIDR,Site\r\nExample KK,198.51.100.8/29,Tokyo\r\n";
    let file = scene.file("ipam.csv", text);
    let mapped = ["--map", "customer=Circuit Name", "--map", "prefixes=cidr"];
    let words = [
        &["exempt", "import", &file][..],
        &mapped,
        &["--ignore-unknown-columns"],
    ]
    .concat();
    scene.op25b(&words).is(0, "added 1; 0 existed already\n", "");
    let expected = json!({ "customer": "Example KK", "prefixes": ["198.51.100.8/29"], "force": false });
    assert_eq!(sent(&daemon.requests()[0]), [expected]);

    let refused = scene.op25b(&[&["exempt", "import", &file][..], &mapped].concat());
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.starts_with(&format!(
            "{file}:2: there is no column `Site`; the columns are customer,"
        )),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains("`--ignore-unknown-columns` skips it"),
        "{refused:?}"
    );
    for (map, why) in [
        ("client=Circuit Name", "there is no field `client`"),
        ("customer", "write FIELD=COLUMN"),
        ("customer=", "write FIELD=COLUMN"),
    ] {
        let refused = scene.op25b(&["exempt", "import", &file, "--map", map]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    let yaml = scene.file("x.yaml", "[]");
    let refused = scene.op25b(&["exempt", "import", &yaml, "--ignore-unknown-columns"]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("are for CSV"),
        "{refused:?}"
    );
    assert_eq!(daemon.requests().len(), 1);
}

#[test]
fn a_note_of_several_lines_is_taken_from_a_file_with_crlf() {
    let scene = Scene::new();
    let daemon = scene.daemon(imported);
    let text = "customer,prefixes,note\r\nA,198.51.100.8/29,\"until they\r\nhave moved\"\r\n";
    let answer = scene.op25b_fed(&["exempt", "import", "--format", "csv", "-"], text);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(sent(&daemon.requests()[0])[0]["note"], "until they\nhave moved");
}

#[test]
fn a_file_in_another_encoding_is_told_how_to_save_it() {
    let scene = Scene::new();
    let text = "customer,prefixes\n株式会社さくら,198.51.100.8/29\n";
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [&[0xff, 0xfe][..], &le].concat();
    let path = scene.path("x.csv");
    for (bytes, kind, hint) in [
        (&with_mark[..], "UTF-16", "`iconv -f UTF-16 -t UTF-8`"),
        (&le, "UTF-16", "`iconv -f UTF-16LE -t UTF-8`"),
        (
            b"customer,prefixes\nZ\xfcrich AG,198.51.100.8/29\n",
            "not UTF-8",
            "CP1252",
        ),
        (b"PK\x03\x04\x14\x00", "spreadsheet", "CSV UTF-8"),
    ] {
        fs::write(&path, bytes).unwrap();
        let refused = scene.op25b(&["exempt", "import", &shown(&path)]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused.stderr.contains(kind) && refused.stderr.contains(hint),
            "{refused:?}"
        );
        assert_eq!(
            refused.stderr.contains("CP932"),
            kind == "not UTF-8",
            "{refused:?}"
        );
    }
}

#[test]
fn a_table_for_a_spreadsheet_has_no_formula_and_is_imported_as_it_was() {
    let scene = Scene::new();
    let customers = [
        "=HYPERLINK(\"http://192.0.2.1\")",
        "+81",
        "-1",
        "@x",
        "'=1",
        "Example KK",
    ];
    let records: Vec<_> = (1..)
        .zip(customers)
        .map(|(id, customer)| record(id, customer, &format!("198.51.100.{id}/32")))
        .collect();
    scene.store(&records);
    let guarded = scene.op25b(&["exempt", "export", "--for-spreadsheet"]);
    assert_eq!(guarded.code, Some(0), "{guarded:?}");
    let text = guarded.stdout.strip_prefix('\u{feff}').unwrap();
    for line in text.lines() {
        assert!(
            !line.trim_start_matches('"').starts_with(['=', '+', '-', '@']),
            "{text}"
        );
    }
    let plain = scene.op25b(&["exempt", "export"]);
    assert!(plain.stdout.contains("\n+81,"), "{plain:?}");

    let daemon = scene.daemon(imported);
    for text in [&guarded.stdout, &plain.stdout] {
        let answer = scene.op25b_fed(&["exempt", "import", "--format", "csv", "-"], text);
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    for request in daemon.requests() {
        let sent = sent(&request);
        let found: Vec<_> = sent.iter().map(|row| row["customer"].as_str().unwrap()).collect();
        assert_eq!(found, customers);
    }
    let refused = scene.op25b(&["exempt", "export", "--for-spreadsheet", "--format", "yaml"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn what_is_stored_with_a_hidden_character_is_shown_with_its_code_point() {
    let scene = Scene::new();
    scene.store(&[record(1, "Example\u{202e}KK", "198.51.100.8/29")]);
    for words in [&["exempt", "list"][..], &["exempt", "history"]] {
        let shown = scene.op25b(words);
        assert!(shown.stdout.contains("Example<U+202E>KK"), "{shown:?}");
        assert!(!shown.stdout.contains('\u{202e}'), "{shown:?}");
    }
}
