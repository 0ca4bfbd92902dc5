//! Tables at several widths, with texts of several scripts.

use unicode_width::UnicodeWidthStr as _;

use super::*;

type Row = (&'static str, &'static str, u64, &'static str);

type Shown = Column<Row, ()>;

const COLUMNS: [Shown; 5] = [
    Shown::new("id", |row, ()| Cell::text(row.0)),
    Shown::new("customer", |row, ()| Cell::text(row.1)).wrapped(8),
    Shown::number("last-packets", |row, ()| Cell::number(row.2)).rank(Rank::Middle),
    Shown::new("note", |row, ()| Cell::text(row.3))
        .rank(Rank::Low)
        .wrapped(12),
    Shown::new("created", |_, ()| Cell::text("2027-03-31")).rank(Rank::Wide),
];

const ROWS: [Row; 4] = [
    (
        "01KAXQ3T5BH6Z8W2N4R7C9D1EF",
        "Example KK",
        7,
        "until they have moved",
    ),
    (
        "01KAXQ3T5BH6Z8W2N4R7C9D1EG",
        "株式会社サンプル",
        1_000_000,
        "移転まで",
    ),
    ("line-32", "ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ", 80, "ﾊﾟｰﾄﾅｰ"),
    ("line-33", "Ｅｘａｍｐｌｅ　ＫＫ", 9, "a\u{1b}[31m\u{202e}b"),
];

fn shown(width: Option<u16>, is_wide: bool) -> Text {
    let look = Look {
        width,
        is_wide,
        has_header: true,
    };
    text(&COLUMNS, &ROWS, &(), look)
}

fn whole(text: &Text) -> String {
    format!("{}\n{}", text.header, text.rows)
}

/// The display column at which a text begins.
fn place(line: &str, text: &str) -> usize {
    line[..line.find(text).unwrap()].width()
}

#[test]
fn columns_are_aligned_by_the_width_of_what_is_displayed() {
    let text = shown(None, false);
    insta::assert_snapshot!(whole(&text), @r"
    ID                          CUSTOMER              LAST PACKETS  NOTE
    01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK                       7  until they have moved
    01KAXQ3T5BH6Z8W2N4R7C9D1EG  株式会社サンプル           1000000  移転まで
    line-32                     ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ                  80  ﾊﾟｰﾄﾅｰ
    line-33                     Ｅｘａｍｐｌｅ　ＫＫ             9  a<U+001B>[31m<U+202E>b
    ");
    let ends = text.rows.lines().zip(ROWS).map(|(line, (_, _, packets, _))| {
        let packets = format!(" {packets}  ");
        place(line, &packets) + packets.trim_end().len()
    });
    let heading = place(&text.header, "LAST PACKETS") + "LAST PACKETS".len();
    assert_eq!(ends.collect::<Vec<_>>(), [heading; 4]);
}

#[test]
fn columns_of_the_lowest_rank_are_left_out_and_no_id_is_broken() {
    let text = shown(Some(60), false);
    insta::assert_snapshot!(whole(&text), @r"
    ID                          CUSTOMER            LAST PACKETS
    01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK                     7
    01KAXQ3T5BH6Z8W2N4R7C9D1EG  株式会社サンプル         1000000
    line-32                     ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ                80
    line-33                     Ｅｘａｍｐｌｅ　Ｋ             9
                                Ｋ
    ");
    assert_eq!(text.left_out, ["note"]);
    assert_eq!(
        left_out(&text.left_out),
        "columns left out: note; -o wide shows all"
    );
    for width in [1, 20, 40, 50, 60, 80, 100, 200] {
        let text = shown(Some(width), false);
        for (id, ..) in ROWS {
            assert!(
                text.rows
                    .lines()
                    .any(|line| line.split("  ").any(|cell| cell == id)),
                "{width}"
            );
        }
        for line in whole(&text).lines() {
            // The columns that are always shown need 26 + 2 + 8.
            assert!(line.width() <= usize::from(width.max(36)), "{width}: {line}");
        }
    }
    assert_eq!(shown(Some(30), false).left_out, ["last-packets", "note"]);
    assert_eq!(shown(Some(200), false).left_out, [""; 0]);
}

#[test]
fn the_wide_table_has_all_columns_each_row_on_one_line() {
    let text = shown(Some(40), true);
    assert_eq!(text.rows.lines().count(), ROWS.len());
    assert!(text.header.ends_with("CREATED"), "{}", text.header);
    assert_eq!(text.left_out, [""; 0]);
}

#[test]
fn nothing_in_a_table_controls_the_terminal() {
    for text in [shown(Some(80), false), shown(None, true)] {
        let text = whole(&text);
        assert!(text.contains("a<U+001B>"), "{text}");
        assert!(
            !text.chars().any(|c| c != '\n' && characters::is_refused(c)),
            "{text}"
        );
    }
}

#[test]
fn the_header_can_be_left_away() {
    let look = Look {
        width: None,
        is_wide: false,
        has_header: false,
    };
    let text = text(&COLUMNS, &ROWS, &(), look);
    assert_eq!(text.header, "");
    assert!(text.rows.starts_with("01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK"));
}

#[test]
fn rows_are_sorted_by_their_values() {
    let sorted = |sort: &str| {
        let mut rows = ROWS;
        Sort::parse(sort, &COLUMNS)
            .unwrap()
            .apply(&mut rows, &COLUMNS, &());
        rows.map(|row| row.2)
    };
    assert_eq!(sorted("last-packets"), [1_000_000, 80, 9, 7]);
    assert_eq!(sorted("-last-packets"), [1_000_000, 80, 9, 7]);
    assert_eq!(sorted("+last-packets"), [7, 9, 80, 1_000_000]);
    assert_eq!(sorted("id"), [7, 1_000_000, 80, 9]);
    assert_eq!(sorted("-id"), [9, 80, 1_000_000, 7]);
    assert_eq!(sorted("created,+last-packets"), [7, 9, 80, 1_000_000]);
}
