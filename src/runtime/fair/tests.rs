use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A generous bound for what must not depend on others.
const SOON: Duration = Duration::from_secs(10);

/// Computes until it is stopped.
fn compute(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

/// Lets futures compute until this is dropped.
#[derive(Clone, Default)]
struct Computing(Arc<AtomicBool>);

impl Drop for Computing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it is done soon")
}

#[tokio::test]
async fn a_future_gives_its_result_and_may_use_the_runtime() {
    let executor = Executor::start();
    let slept = executor.spawn("a", async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::spawn(async { 1 }).await.unwrap() + 1
    });
    assert_eq!(soon(slept).await, Ok(2));
}

#[tokio::test]
async fn tenants_that_compute_without_end_do_not_hold_the_others() {
    let executor = Executor::start();
    let stop = Computing::default();
    for number in 0..8 {
        for _ in 0..10 {
            let until = Arc::clone(&stop.0);
            drop(executor.spawn(&format!("attacker-{number}"), async move { compute(&until) }));
        }
    }
    for _ in 0..20 {
        let work = executor.spawn("victim", async {
            tokio::task::yield_now().await;
            1
        });
        assert_eq!(soon(work).await, Ok(1));
    }
}

#[tokio::test]
async fn a_tenant_computes_one_thing_at_a_time_on_however_many_threads() {
    let executor = Executor::start();
    let busy = Arc::new(AtomicBool::new(false));
    let work = (0..50).map(|_| {
        let busy = Arc::clone(&busy);
        executor.spawn("a", async move {
            for _ in 0..20 {
                assert!(!busy.swap(true, Ordering::SeqCst));
                std::thread::yield_now();
                busy.store(false, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        })
    });
    let ended = soon(futures::future::join_all(work)).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
}

#[tokio::test]
async fn a_panic_ends_only_its_own_future() {
    let executor = Executor::start();
    let waiting = Arc::new(Notify::new());
    let told = Arc::clone(&waiting);
    let other = executor.spawn("a", async move { told.notified().await });
    let panicked: Result<(), _> = soon(executor.spawn("a", async { panic!("a bug") })).await;
    assert!(panicked.is_err());
    waiting.notify_one();
    assert_eq!(soon(other).await, Ok(()));
    assert_eq!(soon(executor.spawn("a", async { 1 })).await, Ok(1));
}

#[tokio::test]
async fn what_is_woken_while_it_is_polled_is_polled_again() {
    let executor = Executor::start();
    let count = executor.spawn("a", async {
        let mut count = 0;
        std::future::poll_fn(|context| {
            count += 1;
            context.waker().wake_by_ref();
            if count == 1_000 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        count
    });
    assert_eq!(soon(count).await, Ok(1_000));
}
