//! The texts of `op25b status`, without a kernel.

mod check;
mod examples;

use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use self::examples::{LOADED, at, healthy, paused, recorded, sick, zone};
pub(in crate::cli) use self::examples::{example, interface};
use super::{brief, text::text};
use crate::{
    fault::{Fault, FaultKind},
    report::{Enforcement, HistoryReport, InterfaceState, PoolState, PoolWord, Status},
};

#[test]
fn a_pause_is_shown_where_it_holds_and_with_what_ends_it() {
    let text = text(&paused(), &zone(), Some(80));
    insta::assert_snapshot!(text.lines().take(13).collect::<Vec<_>>().join("\n"), @r"
    MONITORING only, on 2 interfaces: no pool is enforced
      daemon      process 24797 (op25b 0.1.0)
      policy      /etc/op25b/policy.yaml
      loaded      2026-11-28 23:09:35 +09:00 (reload by alice (uid 1000))
      file        is what is enforced
      paused      everything until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812:
                  メールが届かない; `op25b resume` ends it before
      interface  role        wanted  actual  program  since
      eth1       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
      eth2       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
      pool      wanted                                             actual   prefixes
      モバイル  monitor until 2026-11-29 03:30:00 +09:00 (paused)  monitor  2
      fibre     monitor until 2027-01-01 00:00:00 +09:00           monitor  2
    ");
    insta::assert_snapshot!(brief::text(&paused(), &zone()), @r"
    eth1             ENFORCED   subscriber native     program 217; PAUSED everything until 2026-11-29 03:30:00 +09:00
    eth2             ENFORCED   subscriber native     program 217; PAUSED everything until 2026-11-29 03:30:00 +09:00
    ");
}

#[test]
fn a_pause_without_an_end_is_shown_with_its_beginning_and_with_what_ends_it() {
    let mut status = paused();
    status.pauses[0].until = None;
    status.pools.truncate(1);
    status.pools[0].wanted = Some(PoolState {
        mode: PoolWord::Monitor,
        until: None,
    });
    status.pools[0].actual = status.pools[0].wanted;
    let text = text(&status, &zone(), Some(80));
    let lines: Vec<_> = text.lines().skip(5).take(7).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    paused      everything until it is resumed, since 2026-11-29 03:00:00 +09:00
                by 花子: OPS-812: メールが届かない; `op25b resume` ends it
    interface  role        wanted  actual  program  since
    eth1       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
    eth2       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
    pool      wanted            actual   prefixes
    モバイル  monitor (paused)  monitor  2
    ");
    let brief = brief::text(&status, &zone());
    let end = "; PAUSED everything until it is resumed, since 2026-11-29 03:00:00 +09:00";
    assert!(brief.contains(end), "{brief}");
}

#[test]
fn a_terminal_too_narrow_for_the_dates_of_pools_has_them_below() {
    let mut status = paused();
    status.pools[0].actual = Some(PoolState {
        mode: PoolWord::Enforce,
        until: None,
    });
    for width in [80, 200] {
        let text = text(&status, &zone(), Some(width));
        assert!(
            text.lines().all(|line| line.width() <= usize::from(width)),
            "{text}"
        );
    }
    insta::assert_snapshot!(
        text(&status, &zone(), Some(60))
            .lines()
            .skip(12)
            .take(5)
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn one_screen_says_all_of_a_router_that_is_as_it_should_be() {
    insta::assert_snapshot!(text(&healthy(), &zone(), None));
}

#[test]
fn one_screen_says_what_is_wanted_and_what_is_there_and_what_to_do() {
    let text = text(&sick(), &zone(), None);
    assert!(text.lines().count() <= 40, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn words_are_folded_to_the_terminal_and_ids_and_tables_are_not_broken() {
    insta::assert_snapshot!(text(&sick(), &zone(), Some(80)));
    insta::assert_snapshot!("at_200_columns", text(&sick(), &zone(), Some(200)));
}

#[test]
fn the_usual_lines_fit_80_columns() {
    let text = text(&healthy(), &zone(), None);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn without_a_daemon_and_a_filter_the_policy_is_shown_all_the_same() {
    let mut status = example(vec![interface("eth1", InterfaceState::Unfiltered)]);
    (status.pid, status.daemon, status.filter) = (None, None, None);
    status.filters.clear();
    status.pools[0].actual = None;
    insta::assert_snapshot!(text(&status, &zone(), None));
}

#[test]
fn brief_is_one_line_for_each_interface() {
    insta::assert_snapshot!(brief::text(&sick(), &zone()));
    assert_eq!(
        brief::text(&Status::nothing(), &zone()),
        "NOT enforcing: no op25b filter is running on the interfaces of this network namespace\n"
    );
}

#[test]
fn an_earlier_daemon_s_answer_is_read_as_far_as_it_goes() {
    let answer = json!({
        "pid": 7, "version": "0.1.0", "policy_file": "/etc/op25b/policy.yaml", "policy_sha256": "00",
        "loaded_at": LOADED, "reloads": 0, "refused_reloads": 0, "last_reload": null, "state": "enforced",
        "interfaces": [{ "name": "eth1", "state": "enforced", "interferences": 0 }], "faults": [], "filter": null,
    });
    let status: Status = serde_json::from_value(answer).unwrap();
    assert_eq!((status.pid, status.state), (Some(7), Enforcement::Enforced));
    assert_eq!(status.interfaces[0].role, None);
    assert!(text(&status, &zone(), None).starts_with("enforcing on 1 interface"));
}

#[test]
fn json_has_every_member_with_and_without_a_daemon() {
    let members = |status: &Status| {
        let document = serde_json::to_value(status).unwrap();
        let members = document.as_object().unwrap().keys().cloned();
        members.collect::<Vec<_>>()
    };
    let nothing = serde_json::to_string(&Status::nothing()).unwrap();
    assert!(
        nothing.starts_with(r#"{"schema":"op25b.status/1","state":"open","#),
        "{nothing}"
    );
    assert_eq!(members(&Status::nothing()), members(&sick()));
    let document = serde_json::to_value(sick()).unwrap();
    assert_eq!(document["filters"][0]["counters"]["blocked"], 8123);
    assert_eq!(document["enforcement"]["interfaces"], document["interfaces"]);
    assert_eq!(document["filter"], document["filters"][0]);
}

#[test]
fn the_history_is_off_or_shown_with_its_size_and_whether_it_is_written() {
    let line = |history: Option<HistoryReport>, fault: Option<FaultKind>| {
        let mut status = healthy();
        status.history = history;
        status.faults.extend(fault.map(|kind| Fault {
            kind,
            message: "the history of what subscribers did is not written: no space left".to_owned(),
            since: at(LOADED),
        }));
        let text = text(&status, &zone(), None);
        let line = text.lines().find_map(|line| line.strip_prefix("  history     "));
        line.map(str::to_owned)
    };
    let shown = |history, fault| line(history, fault).unwrap();
    assert_eq!(
        shown(Some(recorded()), None),
        "since 2026-11-27 23:10:00 +09:00, 61203 rows, 2.9MiB of 2GiB"
    );
    assert_eq!(shown(None, None), "off: the policy has none");
    let begins = HistoryReport {
        bytes: None,
        rows: None,
        oldest: None,
        newest: None,
        ..recorded()
    };
    assert_eq!(shown(Some(begins), None), "no bucket yet");
    let full = HistoryReport {
        is_full: true,
        ..recorded()
    };
    let full = shown(Some(full), Some(FaultKind::HistoryNotRecorded));
    assert!(
        full.starts_with("NOT RECORDED, see below: since ")
            && full.ends_with("; FULL: older buckets had no room"),
        "{full}"
    );
    // Without a daemon nobody knows.
    let mut alone = healthy();
    alone.daemon = None;
    assert!(!text(&alone, &zone(), None).contains("  history "));
}
