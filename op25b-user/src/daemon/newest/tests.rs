//! The newest items, here events, and those who wait for them.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{Hub, kept::MOST};
use crate::report::Event;

/// Adds so many events of a pool.
fn add(hub: &Hub<Event>, count: u64, pool: &str) {
    let first = hub.last() + 1;
    hub.add((first..first + count).map(|sequence| Event::fake(sequence, pool)));
}

fn all(_: &Event) -> bool {
    true
}

fn numbers(taken: &super::Taken<Event>) -> Vec<u64> {
    taken.items.iter().map(|event| event.sequence).collect()
}

#[tokio::test]
async fn a_reader_gets_every_event_once_in_order_and_waits_for_the_next() {
    let hub = Hub::<Event>::default();
    let begin = hub.last();
    add(&hub, 5, "homes");
    assert_eq!(numbers(&hub.newest(all, 2)), [begin + 4, begin + 5]);
    let mut subscription = hub.subscribe_after(begin + 1);
    let first = subscription.next(all, 3).await;
    assert_eq!(
        (numbers(&first), first.next),
        (vec![begin + 2, begin + 3, begin + 4], begin + 4)
    );
    assert_eq!(numbers(&subscription.next(all, 3).await), [begin + 5]);
    assert!(
        timeout(Duration::from_millis(20), subscription.next(all, 3))
            .await
            .is_err()
    );
    let waiting = tokio::spawn(async move { subscription.next(all, 3).await });
    tokio::task::yield_now().await;
    // From another thread, as the reader of the kernel is one.
    let other = hub.clone();
    std::thread::spawn(move || add(&other, 1, "homes"))
        .join()
        .unwrap();
    let taken = timeout(Duration::from_mins(1), waiting).await.unwrap().unwrap();
    assert_eq!((numbers(&taken), taken.missed), (vec![begin + 6], 0));
}

#[tokio::test]
async fn a_slow_reader_misses_the_oldest_and_learns_how_many() {
    let hub = Hub::<Event>::default();
    let begin = hub.last();
    let mut subscription = hub.subscribe_after(begin);
    add(&hub, MOST as u64 + 30, "homes");
    let taken = subscription.next(all, 1).await;
    assert_eq!((numbers(&taken), taken.missed), (vec![begin + 31], 30));
    // They are missed once.
    let taken = subscription.next(all, 1).await;
    assert_eq!((numbers(&taken), taken.missed), (vec![begin + 32], 0));
    add(&hub, 5, "homes");
    let taken = subscription.next(all, MOST).await;
    assert_eq!((numbers(&taken)[0], taken.missed), (begin + 36, 3));
}

#[tokio::test]
async fn what_was_missed_while_nothing_matched_is_told_with_what_matches() {
    let hub = Hub::<Event>::default();
    let mut subscription = hub.subscribe_after(hub.last());
    let is_mobile = |event: &Event| event.pool.as_deref() == Some("mobile");
    add(&hub, MOST as u64 + 7, "homes");
    assert!(
        timeout(Duration::from_millis(20), subscription.next(is_mobile, 9))
            .await
            .is_err()
    );
    add(&hub, 1, "mobile");
    let taken = subscription.next(is_mobile, 9).await;
    assert_eq!((numbers(&taken), taken.missed), (vec![hub.last()], 7));
    assert_eq!(subscription.now(is_mobile, 9).missed, 0);
}

#[test]
fn a_number_of_another_daemon_is_before_all_of_this_one() {
    let hub = Hub::<Event>::default();
    let begin = hub.last();
    add(&hub, 2, "homes");
    for other in [0, begin - 1000, begin + 1000] {
        let taken = hub.subscribe_after(other).now(all, 9);
        assert_eq!(
            (numbers(&taken), taken.missed),
            (vec![begin + 1, begin + 2], 0),
            "{other}"
        );
    }
}

#[test]
fn what_is_forgotten_or_too_old_is_gone_and_was_not_missed() {
    let hub = Hub::<Event>::default();
    let begin = hub.last();
    add(&hub, 6, "homes");
    assert_eq!(hub.forget(|event| event.sequence == begin + 4), 1);
    let third = i64::try_from(begin + 3).unwrap();
    hub.expire(Timestamp::from_microsecond(third).unwrap());
    let taken = hub.subscribe_after(begin).now(all, 9);
    assert_eq!(
        (numbers(&taken), taken.missed),
        (vec![begin + 3, begin + 5, begin + 6], 0)
    );
}
