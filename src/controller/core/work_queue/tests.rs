use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::controller::core::key::ObjectKey;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("n", name)
}

/// Requests all objects and closes the queue after `passes` passes. Returns the names in the order of their turns.
async fn turns(places: u16, passes: usize, next: impl Fn(&str) -> Next) -> Vec<String> {
    let requests = Requests::default();
    for name in NAMES {
        requests.ask(&key(name));
    }
    let turns = RefCell::new(Vec::new());
    run(&requests, places, |key, _| {
        let (turns, next, requests, name) = (&turns, &next, &requests, key.name.clone());
        Some(async move {
            turns.borrow_mut().push(name.clone());
            if turns.borrow().len() >= passes {
                requests.close();
            }
            tokio::task::yield_now().await;
            Ok(next(&name))
        })
    })
    .await;
    turns.into_inner()
}

#[tokio::test]
async fn where_more_is_due_than_can_be_worked_on_each_has_its_turn() {
    let turns = turns(2, 1000, |_| Next::After(Duration::ZERO)).await;
    let mut counts = BTreeMap::new();
    for name in &turns {
        *counts.entry(name.as_str()).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), NAMES.len());
    // An object whose pass ends sooner is queued again sooner, so shares differ; but nobody is left out.
    let half = 1000 / NAMES.len() / 2;
    assert!(counts.values().all(|count| *count > half), "{counts:?}");
}

#[tokio::test]
async fn an_object_comes_back_after_its_pause() {
    let pause = |name: &str| Next::After(if name == "a" { Duration::from_millis(5) } else { Duration::from_hours(1) });
    let turns = turns(1, 10, pause).await;
    assert_eq!(turns, ["a", "b", "c", "d", "e", "a", "a", "a", "a", "a"]);
}

/// The names of objects in the order of their turns, if none comes back.
fn drained(queue: &mut WorkQueue<ObjectKey>) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((key, _)) = queue.begin(1) {
        names.push(key.to_string());
        queue.end(&key, Next::OnChange);
    }
    names
}

fn begin(queue: &mut WorkQueue<ObjectKey>) -> Option<ObjectKey> {
    queue.begin(64).map(|(key, _)| key)
}

#[tokio::test]
async fn what_is_asked_for_while_it_is_worked_on_has_one_more_turn() {
    let mut queue = WorkQueue::default();
    queue.ask(&key("a"), DueBy::Request);
    queue.ask(&key("a"), DueBy::Request);
    assert_eq!((begin(&mut queue), begin(&mut queue)), (Some(key("a")), None));
    queue.ask(&key("a"), DueBy::Request);
    queue.ask(&key("a"), DueBy::Request);
    assert_eq!(begin(&mut queue), None, "one pass at a time");
    queue.end(&key("a"), Next::OnChange);
    assert_eq!((begin(&mut queue), begin(&mut queue)), (Some(key("a")), None));
    queue.end(&key("a"), Next::OnChange);
    assert_eq!(begin(&mut queue), None);
}

#[tokio::test]
async fn what_is_asked_for_during_its_pause_has_its_turn_at_once_and_only_once() {
    let requests = Requests::default();
    requests.ask(&key("a"));
    assert!(requests.next(1).await.is_some());
    requests.lock().queue.end(&key("a"), Next::After(Duration::from_millis(20)));
    requests.ask(&key("a"));
    assert_eq!(requests.next(1).await.map(|(key, _)| key), Some(key("a")));
    requests.lock().queue.end(&key("a"), Next::OnChange);
    let nothing = tokio::time::timeout(Duration::from_millis(100), requests.next(1)).await;
    assert!(nothing.is_err(), "its former time is forgotten");
}

#[tokio::test]
async fn namespaces_take_turns_however_many_objects_they_have() {
    let mut queue = WorkQueue::default();
    for number in 0..5_000 {
        queue.ask(&ObjectKey::new("many", &number.to_string()), DueBy::Request);
    }
    queue.ask(&ObjectKey::new("few", "x"), DueBy::Request);
    queue.ask(&ObjectKey::new("few", "y"), DueBy::Request);
    let turns = drained(&mut queue);
    assert_eq!(turns[..5], ["many/0", "few/x", "many/1", "few/y", "many/2"]);
    assert_eq!(turns.len(), 5_002);
}

/// How many places each of several namespaces gets, one after the other, if their passes never end.
fn held(places: usize, namespaces: usize) -> Vec<usize> {
    let mut queue = WorkQueue::default();
    (0..namespaces)
        .map(|namespace| {
            for number in 0..places {
                queue.ask(&ObjectKey::new(&namespace.to_string(), &number.to_string()), DueBy::Request);
            }
            std::iter::from_fn(|| queue.begin(places)).count()
        })
        .collect()
}

#[tokio::test]
async fn a_namespace_whose_passes_hang_leaves_places_to_the_next() {
    assert_eq!(held(64, 3), [56, 7, 1]);
    assert_eq!(held(8, 2), [7, 1]);
    assert_eq!(held(2, 2), [1, 1]);
    assert_eq!(held(1, 1), [1], "where there is one place, somebody has it");
}

#[tokio::test]
async fn what_is_due_by_time_leaves_places_to_what_has_changed() {
    let mut queue = WorkQueue::default();
    for number in 0..100 {
        queue.push(ObjectKey::new("busy", &number.to_string()), Instant::now(), DueBy::Time);
    }
    let begun: Vec<_> = std::iter::from_fn(|| begin(&mut queue)).collect();
    assert_eq!(begun.len(), 16);
    queue.ask(&ObjectKey::new("busy", "changed"), DueBy::Request);
    assert_eq!(begin(&mut queue), Some(ObjectKey::new("busy", "changed")));
    queue.end(&begun[0], Next::OnChange);
    assert!(begin(&mut queue).is_some_and(|key| key.name != "changed"));
    assert_eq!(begin(&mut queue), None);
    // The last of those whose time has come.
    queue.ask(&ObjectKey::new("busy", "99"), DueBy::Request);
    assert_eq!(begin(&mut queue), Some(ObjectKey::new("busy", "99")));
    assert_eq!(begin(&mut queue), None);
}

#[tokio::test]
async fn what_was_asked_for_twice_is_in_the_queue_once() {
    let requests = Requests::default();
    for _ in 0..1_000 {
        requests.ask(&key("a"));
    }
    assert_eq!(requests.holds().waiting, 1);
    requests.next(1).await.unwrap();
    assert_eq!((requests.holds().waiting, requests.holds().running.len()), (0, 1), "it is worked on");
}

#[test]
fn changes_that_concern_very_many_objects_leave_most_places_to_what_is_asked_for() {
    let mut queue = WorkQueue::default();
    for number in 0..100 {
        queue.ask(&ObjectKey::new("busy", &number.to_string()), DueBy::Time);
    }
    let begun = std::iter::from_fn(|| queue.begin(16)).count();
    assert_eq!(begun, 16 / TIMED_PART);
    queue.ask(&ObjectKey::new("busy", "99"), DueBy::Request);
    assert_eq!(queue.begin(16).map(|(key, _)| key.name), Some("99".to_owned()));
    // Asked for while it is worked on: as often as that, and as urgently as the most urgent.
    queue.ask(&ObjectKey::new("busy", "99"), DueBy::Time);
    queue.ask(&ObjectKey::new("busy", "99"), DueBy::Request);
    queue.end(&ObjectKey::new("busy", "99"), Next::OnChange);
    assert_eq!(queue.begin(16).map(|(key, _)| key.name), Some("99".to_owned()));
}
