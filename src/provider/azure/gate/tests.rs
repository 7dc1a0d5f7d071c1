use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;

use super::*;

fn gate(concurrency: usize, patience: Duration) -> Arc<Gate> {
    Arc::new(Gate::new("my-vault", &Options { concurrency, patience, ..Options::default() }, Arc::new(())))
}

fn throttled(milliseconds: u64) -> Result<(), Diagnosis> {
    Err(Diagnosis::new(Cause::VaultThrottled, "slow down").retry_after(Some(Duration::from_millis(milliseconds))))
}

/// One request of a namespace, which never gets a reason for waiting.
async fn enter(gate: &Arc<Gate>, store: &str) -> Leave {
    let ticket = gate.ticket(Traffic::Secrets, Rank::First, &Requester::of_test(store));
    gate.enter(&ticket, Instant::now(), |reason| panic!("{reason}")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_are_under_way_than_allowed_and_all_come_through() {
    let gate = gate(3, Duration::from_mins(1));
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks = (0..200).map(|number| {
        let (gate, under_way, most) = (Arc::clone(&gate), Arc::clone(&under_way), Arc::clone(&most));
        tokio::spawn(async move {
            let leave = enter(&gate, "store").await;
            most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            // Every tenth fails once, so that pauses and probes are included.
            let unavailable = Diagnosis::new(Cause::VaultUnavailable, "x").retry_after(Some(Duration::from_millis(1)));
            let result = if number % 10 == 0 { Err::<(), _>(unavailable) } else { Ok(()) };
            leave.report(&result);
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn callers_that_wait_for_the_probe_are_woken_when_it_ends() {
    let gate = gate(8, Duration::from_secs(5));
    enter(&gate, "store").await.report(&throttled(1));
    let probe = enter(&gate, "store").await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut entering = Box::pin(enter(&gate, "store"));
        assert!(futures::poll!(entering.as_mut()).is_pending());
        waiting.push(entering);
    }
    probe.report(&Ok(()));
    for entering in waiting {
        entering.await.report(&Ok(()));
    }
}

#[tokio::test]
async fn a_probe_that_is_dropped_leaves_its_place_to_a_waiting_caller() {
    let gate = gate(8, Duration::from_secs(5));
    enter(&gate, "store").await.report(&throttled(1));
    let probe = enter(&gate, "store").await;
    let mut next = Box::pin(enter(&gate, "store"));
    assert!(futures::poll!(next.as_mut()).is_pending());
    drop(probe);
    next.await.report(&Ok(()));
}

#[tokio::test]
async fn a_waiter_that_goes_away_leaves_its_place_to_the_next() {
    let gate = gate(1, Duration::from_secs(5));
    let first = enter(&gate, "store").await;
    let mut second = Box::pin(enter(&gate, "store"));
    let mut third = Box::pin(enter(&gate, "store"));
    assert!(futures::poll!(second.as_mut()).is_pending());
    assert!(futures::poll!(third.as_mut()).is_pending());
    drop(second);
    first.report(&Ok(()));
    third.await.report(&Ok(()));
}

#[tokio::test]
async fn a_caller_that_learns_why_it_waits_keeps_its_place_and_passes_when_the_vault_is_back() {
    let gate = gate(8, Duration::ZERO);
    enter(&gate, "store").await.report(&throttled(1000));
    let told = Mutex::new(None);
    let ticket = gate.ticket(Traffic::Secrets, Rank::First, &Requester::of_test("store"));
    let mut entering =
        Box::pin(gate.enter(&ticket, Instant::now(), |reason| *told.lock().unwrap() = Some(reason.cause)));
    assert!(entering.as_mut().now_or_never().is_none());
    assert_eq!(*told.lock().unwrap(), Some(Cause::VaultThrottled));
    entering.await.unwrap().report(&Ok(()));
}

#[tokio::test]
async fn namespaces_take_turns() {
    let gate = gate(1, Duration::from_mins(1));
    let first = enter(&gate, "large").await;
    let order = Mutex::new(Vec::new());
    let one = async |store: &'static str| {
        let leave = enter(&gate, store).await;
        order.lock().unwrap().push(store);
        leave.report(&Ok(()));
    };
    let large = futures::future::join_all((0..50).map(|_| one("large")));
    let small = futures::future::join_all((0..3).map(|_| one("small")));
    let mut all = Box::pin(futures::future::join(large, small));
    assert!(futures::poll!(all.as_mut()).is_pending());
    first.report(&Ok(()));
    all.await;
    let last = order.lock().unwrap().iter().rposition(|store| *store == "small").unwrap();
    assert!(last <= 6, "{last}");
}
