//! Whether a file is UTF-8 text; what it probably is, if not.

use thiserror::Error;

/// Why the bytes of a file are not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}; {hint}")]
pub(crate) struct NotUtf8 {
    /// The number of bytes before the first one that is not UTF-8; `None` if the whole file is something else.
    pub(crate) valid: Option<usize>,
    /// What it is.
    pub(crate) message: &'static str,
    /// What to do.
    pub(crate) hint: &'static str,
}

/// The text of a file.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, NotUtf8> {
    match other_kind(bytes) {
        Some((message, hint)) => Err(NotUtf8 {
            valid: None,
            message,
            hint,
        }),
        None => str::from_utf8(bytes).map_err(|error| NotUtf8 {
            valid: Some(error.valid_up_to()),
            message: "the file is not UTF-8 text",
            hint: "save it as UTF-8, or convert it from the encoding in which it was saved, for example with \
                   `iconv -f CP932 -t UTF-8` (Japanese) or `iconv -f CP1252 -t UTF-8` (Western European)",
        }),
    }
}

/// What the first bytes of a file show, if it is not text of 8 bits.
fn other_kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const WITH_MARK: (&str, &str) = (
        "the file is UTF-16 text",
        "save it as UTF-8 (in Excel as \"CSV UTF-8\"), or convert it with `iconv -f UTF-16 -t UTF-8`",
    );
    Some(match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => WITH_MARK,
        // Without a mark, the ASCII characters with which all these files begin show the order. As UTF-8 they would be valid:
        // text with NUL characters.
        [1..0x80, 0, 1..0x80, 0, ..] => (
            "the file is UTF-16 text (little-endian)",
            "save it as UTF-8 (in Excel as \"CSV UTF-8\"), or convert it with `iconv -f UTF-16LE -t UTF-8`",
        ),
        [0, 1..0x80, 0, 1..0x80, ..] => (
            "the file is UTF-16 text (big-endian)",
            "save it as UTF-8 (in Excel as \"CSV UTF-8\"), or convert it with `iconv -f UTF-16BE -t UTF-8`",
        ),
        [b'P', b'K', 3, 4, ..] => (
            "the file is a spreadsheet or an archive, and not text",
            "export the sheet as CSV in UTF-8 (in Excel as \"CSV UTF-8\")",
        ),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => (
            "the file is a document of Microsoft Office, and not text",
            "export the sheet as CSV in UTF-8 (in Excel as \"CSV UTF-8\")",
        ),
        [0x1f, 0x8b, ..] => ("the file is compressed", "decompress it first, with `gunzip`"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf16_is_named_with_and_without_a_byte_order_mark() {
        let file = "customer,prefixes\n株式会社さくら,198.51.100.8/29\n";
        for (bytes, from) in [
            (utf16(&format!("\u{feff}{file}"), u16::to_le_bytes), "UTF-16 "),
            (utf16(&format!("\u{feff}{file}"), u16::to_be_bytes), "UTF-16 "),
            (utf16(file, u16::to_le_bytes), "UTF-16LE"),
            (utf16(file, u16::to_be_bytes), "UTF-16BE"),
        ] {
            let error = text(&bytes).unwrap_err();
            assert!(error.message.contains("UTF-16"), "{error}");
            assert!(error.hint.contains(&format!("iconv -f {from}")), "{error}");
            assert!(!error.to_string().contains("SHIFT"), "{error}");
        }
    }

    #[test]
    fn no_encoding_is_claimed_that_is_not_known() {
        for (bytes, valid) in [(&b"a\n\x83\x65"[..], 2), (b"Z\xfcrich", 1)] {
            let error = text(bytes).unwrap_err();
            assert_eq!(
                (error.valid, error.message),
                (Some(valid), "the file is not UTF-8 text")
            );
        }
        assert!(
            text(b"PK\x03\x04\x14")
                .unwrap_err()
                .message
                .contains("spreadsheet")
        );
        assert!(text(b"\x1f\x8b\x08").unwrap_err().hint.contains("gunzip"));
    }

    #[test]
    fn utf8_is_taken_with_and_without_a_byte_order_mark() {
        for file in ["", "a", "a,b\n", "\u{feff}a,b\n", "株式会社"] {
            assert_eq!(text(file.as_bytes()), Ok(file));
        }
    }
}
