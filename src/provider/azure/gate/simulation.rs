//! Simulates the gate and a vault with a limit like the sandbox's, with a virtual clock: what is refused, and how long
//! everything takes.

#![allow(clippy::print_stdout, reason = "the figures are for tuning the gate: run with --nocapture")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::super::diagnose::{Cause, Diagnosis};
use super::super::options::Budgets;
use super::Traffic;
use super::queue::{Rank, Requester};
use super::state::{End, Limits, Next, Pass, State};

const WINDOW: f64 = 10.0;
/// The time from the controller to the vault, and from there back.
const WAY: f64 = 0.01;

/// Serves this many requests within any window and refuses others, which do not count.
struct Limiter {
    limit: usize,
    served: VecDeque<f64>,
}

impl Limiter {
    fn admit(&mut self, at: f64) -> bool {
        while self.served.front().is_some_and(|served| at - served >= WINDOW) {
            self.served.pop_front();
        }
        let admitted = self.served.len() < self.limit;
        if admitted {
            self.served.push_back(at);
        }
        admitted
    }
}

/// An event in the simulation, at a time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Somebody else asks the vault.
    Other,
    /// The limit changes.
    Limit(usize),
    /// A read begins.
    Read,
    /// The request with this number reaches the vault.
    Arrives(usize),
    /// Its answer is back.
    Answered { request: usize, served: bool },
    /// The gate's alarm.
    Alarm,
}

struct Scene {
    limit: usize,
    retry_after: Option<u64>,
    /// When reads begin, in seconds.
    reads: Vec<f64>,
    /// When others send requests, in seconds.
    others: Vec<f64>,
    /// When the limit changes, and to what.
    changes: Vec<(f64, usize)>,
    until: f64,
}

/// The results.
#[derive(Debug, Default)]
struct Outcome {
    /// When each request was served.
    served: Vec<f64>,
    refused: usize,
    /// Refused requests of others.
    others_refused: usize,
}

impl Outcome {
    fn time(&self) -> f64 {
        self.served.last().copied().unwrap_or_default()
    }

    fn served_within(&self, from: f64, to: f64) -> usize {
        self.served.iter().filter(|at| (from..to).contains(*at)).count()
    }
}

struct World {
    start: Instant,
    state: State<()>,
    limiter: Limiter,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    passes: Vec<Pass>,
    retry_after: Option<u64>,
    random: u64,
    outcome: Outcome,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "simulated times are small and positive")]
fn micros(at: f64) -> u64 {
    (at * 1e6).round() as u64
}

#[allow(clippy::cast_precision_loss, reason = "simulated times are small")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

impl World {
    fn push(&mut self, at: u64, event: Event) {
        let order = self.events.len();
        self.events.push(Reverse((at, order, event)));
    }

    /// Reproducible, between 0 and 1.
    fn spread(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.random >> 33).unwrap_or_default()) / f64::from(u32::MAX >> 1)
    }

    fn handle(&mut self, at: u64, event: Event) {
        let now = self.start + Duration::from_micros(at);
        match event {
            Event::Other => self.outcome.others_refused += usize::from(!self.limiter.admit(seconds(at))),
            Event::Limit(limit) => self.limiter.limit = limit,
            Event::Read => {
                let ticket = self.state.ticket(Traffic::Secrets, Rank::First, &Requester::of_test("store"));
                self.state.arrive(&ticket, ());
            }
            Event::Arrives(request) => {
                let served = self.limiter.admit(seconds(at));
                self.push(at + micros(WAY), Event::Answered { request, served });
            }
            Event::Answered { request, served } => {
                let end = if served {
                    self.outcome.served.push(seconds(at));
                    End::Answered
                } else {
                    self.outcome.refused += 1;
                    // The caller keeps waiting.
                    self.handle(at, Event::Read);
                    let wait = self.retry_after.map(Duration::from_secs);
                    End::Refused(Diagnosis::new(Cause::VaultThrottled, "slow down").retry_after(wait))
                };
                let spread = self.spread();
                self.state.ended(now, self.passes[request], end, spread);
            }
            Event::Alarm => {}
        }
    }

    fn send(&mut self, at: u64) {
        let now = self.start + Duration::from_micros(at);
        loop {
            match self.state.next(now) {
                Next::Send((), pass) => {
                    self.passes.push(pass);
                    self.push(at + micros(WAY), Event::Arrives(self.passes.len() - 1));
                }
                Next::WaitUntil(until) => {
                    let until = u64::try_from((until - self.start).as_micros()).unwrap_or(u64::MAX) + 1;
                    return self.push(until, Event::Alarm);
                }
                Next::Wait => return,
            }
        }
    }
}

fn run(scene: Scene) -> Outcome {
    let budgets = Budgets { secrets: 3200, keys: 3200, certificates: 3200, writes: 240 };
    let limits = Limits { budgets, window: Duration::from_secs(10), concurrency: 32, patience: Duration::from_secs(5) };
    let mut world = World {
        start: Instant::now(),
        state: State::new(limits),
        limiter: Limiter { limit: scene.limit, served: VecDeque::new() },
        events: BinaryHeap::new(),
        passes: Vec::new(),
        retry_after: scene.retry_after,
        random: 42,
        outcome: Outcome::default(),
    };
    for at in scene.reads {
        world.push(micros(at), Event::Read);
    }
    for at in scene.others {
        world.push(micros(at), Event::Other);
    }
    for (at, limit) in scene.changes {
        world.push(micros(at), Event::Limit(limit));
    }
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        if at > micros(scene.until) {
            break;
        }
        world.handle(at, event);
        world.send(at);
    }
    world.outcome
}

/// This many per second, evenly spaced.
fn evenly(a_second: u32, until: f64) -> Vec<f64> {
    let step = 1.0 / f64::from(a_second);
    std::iter::successors(Some(0.000_5), |at| Some(at + step)).take_while(|at| *at < until).collect()
}

const THROTTLED: Scene = Scene {
    limit: 300,
    retry_after: Some(2),
    reads: Vec::new(),
    others: Vec::new(),
    changes: Vec::new(),
    until: 120.0,
};

#[test]
fn a_thousand_reads_of_a_vault_that_serves_300_in_10_s_use_every_window_fully() {
    let outcome = run(Scene { reads: vec![0.0; 1000], ..THROTTLED });
    println!("1,000 reads, 300 in 10 s: {} refused, {:.2} s", outcome.refused, outcome.time());
    assert_eq!(outcome.served.len(), 1000);
    assert!(outcome.refused <= 50, "{}", outcome.refused);
    assert!((30.0..31.0).contains(&outcome.time()), "{}", outcome.time());
}

#[test]
fn without_a_retry_after_it_takes_no_longer() {
    let outcome = run(Scene { retry_after: None, reads: vec![0.0; 1000], ..THROTTLED });
    println!("the same without Retry-After: {} refused, {:.2} s", outcome.refused, outcome.time());
    assert_eq!(outcome.served.len(), 1000);
    assert!(outcome.refused <= 50 && outcome.time() < 33.0, "{} {}", outcome.refused, outcome.time());
}

#[test]
fn the_half_that_others_leave_is_used() {
    let others = evenly(15, 120.0);
    let count = others.len();
    let outcome = run(Scene { reads: vec![0.0; 600], others, ..THROTTLED });
    println!(
        "600 reads, others take half: {} refused, {:.2} s; of others {} of {count}",
        outcome.refused,
        outcome.time(),
        outcome.others_refused
    );
    assert_eq!(outcome.served.len(), 600);
    assert!(outcome.refused <= 80, "{}", outcome.refused);
    // At best 300 at once, then 150 in each window.
    assert!(outcome.time() < 45.0, "{}", outcome.time());
}

#[test]
fn a_limit_that_shrinks_is_learned_with_few_refusals() {
    let outcome = run(Scene { reads: vec![0.0; 5000], changes: vec![(35.0, 60)], until: 135.0, ..THROTTLED });
    let (after, most) = (outcome.served_within(45.0, 135.0), 9 * 60);
    println!("300 becomes 60: {} refused, {after} of {most} in the 90 s after", outcome.refused);
    assert!(outcome.refused <= 150, "{}", outcome.refused);
    assert!(after * 10 >= most * 8, "{after} of {most}");
}

#[test]
fn a_limit_that_grows_is_found_out() {
    let outcome = run(Scene { reads: vec![0.0; 9000], changes: vec![(35.0, 1200)], until: 135.0, ..THROTTLED });
    println!("9,000 reads, 300 becomes 1200 at 35 s: {} refused, {:.2} s", outcome.refused, outcome.time());
    assert_eq!(outcome.served.len(), 9000);
    assert!(outcome.refused <= 150, "{}", outcome.refused);
    // At best 1,200 until then, and 7,800 in the 65 s that follow.
    assert!(outcome.time() <= 125.0, "{}", outcome.time());
}

#[test]
fn a_vault_that_others_have_used_up_is_used_fully_once_they_stop() {
    // As after a restart of the controller: the window is full of earlier requests.
    let outcome = run(Scene { reads: vec![0.001; 900], others: vec![0.0; 300], ..THROTTLED });
    println!("900 reads, the window was full: {} refused, {:.2} s", outcome.refused, outcome.time());
    assert_eq!(outcome.served.len(), 900);
    assert!(outcome.refused <= 80, "{}", outcome.refused);
    assert!(outcome.time() < 45.0, "{}", outcome.time());
}

#[test]
fn a_steady_load_below_the_limit_is_never_refused_and_one_above_it_seldom() {
    let below = run(Scene { reads: evenly(25, 110.0), ..THROTTLED });
    assert_eq!(below.refused, 0);
    let above = run(Scene { reads: evenly(60, 110.0), ..THROTTLED });
    println!("60 a second where 30 are served: {} refused, {} served in 120 s", above.refused, above.served.len());
    assert!(above.refused <= 60, "{}", above.refused);
    assert!(above.served.len() >= 3300, "{}", above.served.len());
}
