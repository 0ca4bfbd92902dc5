//! What is to do next follows from how far a pool is, whom it concerns, and what is known of that.

use jiff::Timestamp;

use super::{
    document::PoolRollout,
    step::{self, Step},
};
use crate::{policy::Pause, report::PoolWord};

const NOW: &str = "2026-11-29T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A pool in monitor mode in which three customers tried, two of whom were written to.
fn pool() -> PoolRollout {
    PoolRollout {
        pool: "residential".to_owned(),
        mode: PoolWord::Monitor,
        differs: false,
        paused: None,
        phase: 0,
        phases: 0,
        next_date: None,
        now: Some(1),
        subscribers: Some(4),
        exempt: Some(1),
        customers: Some(3),
        ambiguous: Some(0),
        unattributed: Some(0),
        written: Some(2),
        written_before: Some(2),
        stopped_since_notice: Some(1),
        tried_before_date: None,
        stopped_since_date: None,
        step: Step::Nothing,
        next: String::new(),
    }
}

fn next(pool: &PoolRollout) -> (Step, String) {
    let oldest = Some(at("2026-11-01T00:00:00Z"));
    step::next(pool, oldest, at(NOW))
}

#[test]
fn a_pool_is_paused_before_all_else_and_a_kernel_that_differs_is_looked_at() {
    let paused = PoolRollout {
        mode: PoolWord::Monitor,
        paused: Some(Pause::fake(Some("residential"))),
        ..pool()
    };
    let text = "`op25b resume --pool residential`, once the cause of the pause is mended";
    assert_eq!(next(&paused), (Step::Resume, text.to_owned()));
    let everything = PoolRollout {
        paused: Some(Pause::fake(None)),
        ..paused
    };
    assert!(next(&everything).1.starts_with("`op25b resume`, "));
    let differs = PoolRollout {
        differs: true,
        ..pool()
    };
    assert_eq!(next(&differs).0, Step::Look);
}

#[test]
fn before_a_date_customers_are_known_written_to_and_waited_for() {
    let told = PoolRollout {
        written: Some(3),
        ..pool()
    };
    let dated = PoolRollout {
        phases: 2,
        next_date: Some(at("2026-12-11T00:00:00Z")),
        ..told.clone()
    };
    let cases = [
        (
            PoolRollout {
                subscribers: None,
                customers: None,
                written: None,
                ..pool()
            },
            Step::RecordHistory,
            "have the history recorded: whom it concerns is not known",
        ),
        (
            PoolRollout {
                customers: None,
                written: None,
                ..pool()
            },
            Step::ImportSessions,
            "`op25b sessions import`: whose the attempts are is not known",
        ),
        (
            pool(),
            Step::WriteNotices,
            "`op25b notices --pool residential`: 1 customer not written to",
        ),
        (
            PoolRollout {
                written: None,
                ..dated.clone()
            },
            Step::WriteNotices,
            "`op25b notices --pool residential`: 3 customers not written to; phase 1 of 2 begins in 12 days",
        ),
        (
            told.clone(),
            Step::Announce,
            "announce a date: `enforce_from` or `phases`",
        ),
        (dated.clone(), Step::Wait, "wait 12 days for phase 1 of 2"),
        (
            PoolRollout {
                mode: PoolWord::Partial,
                phase: 1,
                ..dated
            },
            Step::Wait,
            "wait 12 days for phase 2 of 2",
        ),
        (
            PoolRollout {
                phases: 1,
                next_date: Some(at("2026-11-29T03:00:00Z")),
                ..told.clone()
            },
            Step::Wait,
            "wait 3 hours for enforcement",
        ),
        (
            PoolRollout {
                mode: PoolWord::Partial,
                phase: 1,
                phases: 1,
                ..told.clone()
            },
            Step::AddPhase,
            "add a phase for every destination to `phases`",
        ),
    ];
    for (pool, step, text) in cases {
        assert_eq!(next(&pool), (step, text.to_owned()), "{pool:?}");
    }
    let (step, text) = step::next(&told, Some(at("2026-11-27T00:00:00Z")), at(NOW));
    assert_eq!(
        (step, &*text),
        (Step::Watch, "watch for a week before a date is announced")
    );
}

#[test]
fn an_enforced_pool_is_reported_on_as_long_as_somebody_tries() {
    let enforced = |subscribers, now| PoolRollout {
        mode: PoolWord::Enforce,
        subscribers,
        now,
        ..pool()
    };
    for (subscribers, now, step, text) in [
        (
            Some(4),
            Some(1),
            Step::Report,
            "`op25b report --pool residential`: 4 subscribers tried",
        ),
        // The first bucket of the history has not ended yet.
        (
            Some(0),
            Some(3),
            Step::Report,
            "`op25b report --pool residential`: 3 subscribers tried",
        ),
        (
            Some(0),
            Some(0),
            Step::Nothing,
            "nothing: nobody has tried in the period",
        ),
        (None, None, Step::Nothing, "nothing; who tries is not known"),
    ] {
        assert_eq!(next(&enforced(subscribers, now)), (step, text.to_owned()));
    }
}
