//! The gate's decisions, as a state machine that gets the time as an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::diagnose::{Cause, Diagnosis};
use super::super::options::Budgets;
use super::budget::{Budget, Purpose, Room, Usage};
use super::queue::{KINDS, Queue, Rank, Requester, Ticket, Traffic};

/// Waits, in seconds, after refusals without a `Retry-After`, from Key Vault's guidance:
/// <https://learn.microsoft.com/azure/key-vault/general/overview-throttling>.
const BACKOFF: [u64; 5] = [1, 2, 4, 8, 16];

/// The longest backoff for a vault that fails without asking to slow down.
const LONGEST_FOR_FAILURE: Duration = Duration::from_secs(3);

/// The first pause of a vault that asks for a shorter one. It doubles with each refusal in a row.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// How long a caller waits for a turn before it gets the reason, while the vault answers others.
const PATIENCE_FOR_A_TURN: Duration = Duration::from_secs(5);

/// All kinds of requests, each with a budget of its own.
const ALL: [Traffic; KINDS] = [Traffic::Secrets, Traffic::Keys, Traffic::Certificates, Traffic::Writes];

/// What may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests within a window, by kind.
    pub(super) budgets: Budgets,
    /// The window.
    pub(super) window: Duration,
    /// Concurrent requests.
    pub(super) concurrency: u32,
    /// How long a caller waits before it gets the reason.
    pub(super) patience: Duration,
}

/// The state of the gate to one vault. `T` wakes a waiter.
#[derive(Debug)]
pub(super) struct State<T> {
    limits: Limits,
    queue: Queue<T>,
    budgets: [Budget; KINDS],
    /// The kind whose turn it is.
    turn: usize,
    in_flight: u32,
    /// The requests that may be in progress after a pause. It grows with each answer, so that the load returns gently.
    ramp: u32,
    phase: Phase,
    /// Refusals since the last success.
    refusals: usize,
    /// The number of pauses. A request that was sent before a pause began reveals nothing new if it is refused, too.
    pauses: u64,
    /// What the vault said when it last asked to slow down.
    throttled: Option<Diagnosis>,
}

#[derive(Debug)]
enum Phase {
    Open,
    Paused(Pause),
    /// One request finds out whether the pause is over.
    Probing(Pause),
}

/// While a vault is paused.
#[derive(Clone, Debug)]
struct Pause {
    since: Instant,
    until: Instant,
    reason: Diagnosis,
}

/// What may happen next.
#[derive(Debug)]
pub(super) enum Next<T> {
    /// Send this one. Its end must be reported with [`State::ended`].
    Send(T, Pass),
    /// Ask again at this time, or when a request ends.
    WaitUntil(Instant),
    /// Ask again when a request ends or arrives.
    Wait,
}

/// When a waiting caller gets the reason.
#[derive(Debug)]
pub(super) enum Stall {
    /// Now: it takes too long.
    Now(Diagnosis),
    /// Not before this time.
    NotBefore(Instant),
}

/// What is worth logging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The vault is paused.
    Paused,
    /// The vault is in use again.
    Resumed,
}

/// Permission to send one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    kind: Traffic,
    purpose: Purpose,
    pub(super) probe: bool,
    pauses: u64,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum End {
    /// The vault answered, whatever the answer.
    Answered,
    /// The vault asks to slow down, or does not answer.
    Refused(Diagnosis),
    /// It was abandoned.
    Abandoned,
    /// It was not sent after all.
    Unsent,
}

impl<T> State<T> {
    pub(super) fn new(limits: Limits) -> Self {
        let Budgets { secrets, keys, certificates, writes } = limits.budgets;
        Self {
            limits,
            queue: Queue::new(),
            budgets: [secrets, keys, certificates, writes].map(|budget| Budget::new(budget, limits.window)),
            turn: 0,
            in_flight: 0,
            ramp: limits.concurrency,
            phase: Phase::Open,
            refusals: 0,
            pauses: 0,
            throttled: None,
        }
    }

    /// A place for a request.
    pub(super) fn ticket(&mut self, kind: Traffic, rank: Rank, requester: &Requester) -> Ticket {
        self.queue.ticket(kind, rank, requester)
    }

    /// A request waits at this position from now on.
    pub(super) fn arrive(&mut self, ticket: &Ticket, waiter: T) {
        self.queue.push(ticket, waiter);
    }

    /// A request no longer waits.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        self.queue.leave(ticket);
    }

    /// The number of waiting requests.
    pub(super) const fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the vault is paused.
    pub(super) const fn is_paused(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// How many requests for secrets are allowed per window, as far as is known.
    pub(super) fn effective_budget(&self) -> u32 {
        self.budgets[Traffic::Secrets as usize].effective()
    }

    /// What may happen now.
    pub(super) fn next(&mut self, now: Instant) -> Next<T> {
        match &self.phase {
            _ if self.queue.len() == 0 => return Next::Wait,
            Phase::Paused(pause) if now < pause.until => return Next::WaitUntil(pause.until),
            Phase::Probing(_) => return Next::Wait,
            Phase::Open if self.in_flight >= self.limits.concurrency.min(self.ramp) => return Next::Wait,
            Phase::Open | Phase::Paused(_) => {}
        }
        let mut earliest: Option<Instant> = None;
        for offset in 0..KINDS {
            let index = (self.turn + offset) % KINDS;
            if !self.queue.has(ALL[index]) {
                continue;
            }
            let (turn, room) = self.turn_of(now, ALL[index]);
            if let (Some((namespace, waiter)), Room::Now(purpose)) = (turn, room) {
                self.turn = (index + 1) % KINDS;
                return Next::Send(waiter, self.send(now, ALL[index], purpose, &namespace));
            }
            if let Room::At(time) = room {
                earliest = Some(earliest.map_or(time, |other| other.min(time)));
            }
        }
        earliest.map_or(Next::Wait, Next::WaitUntil)
    }

    /// The one that may send a request of a kind, or when there is room for one.
    fn turn_of(&mut self, now: Instant, kind: Traffic) -> (Option<(Arc<str>, T)>, Room) {
        let budget = &mut self.budgets[kind as usize];
        let room = budget.room(now, Usage::Heavy);
        if matches!(room, Room::Now(_)) {
            return (self.queue.pop(kind, |_| true), room);
        }
        // Only the reserve is left, if anything.
        let reserve = budget.room(now, Usage::Light);
        if !matches!(reserve, Room::Now(_)) {
            return (None, room);
        }
        match self.queue.pop(kind, |namespace| budget.usage(namespace) == Usage::Light) {
            None => (None, room),
            turn => (turn, reserve),
        }
    }

    /// A request has ended. `spread`, from 0 to 1, is added to the wait, so that controllers that share a vault do not
    /// return together.
    pub(super) fn ended(&mut self, now: Instant, pass: Pass, end: End, spread: f64) -> Option<Change> {
        self.in_flight = self.in_flight.saturating_sub(1);
        match end {
            End::Answered => self.answered(now, pass),
            End::Refused(reason) => self.refused(now, pass, reason, spread),
            End::Abandoned => {
                self.budget(pass).abandoned(now, pass.purpose);
                self.probe_by_another(now, pass);
                None
            }
            End::Unsent => {
                self.budget(pass).unsent(pass.purpose);
                self.probe_by_another(now, pass);
                None
            }
        }
    }

    /// The request that should have found out whether a pause is over did not.
    fn probe_by_another(&mut self, now: Instant, pass: Pass) {
        if let (true, Phase::Probing(pause)) = (pass.probe, &self.phase) {
            self.phase = Phase::Paused(Pause { until: now, ..pause.clone() });
        }
    }

    /// When a caller that has waited since `began` gets the reason: when its patience ends, or at once if the pause is
    /// known to last longer.
    pub(super) fn stall(&self, now: Instant, began: Instant) -> Stall {
        let (end, known_until) = match &self.phase {
            Phase::Open => (began + PATIENCE_FOR_A_TURN.max(self.limits.patience), now),
            Phase::Paused(pause) | Phase::Probing(pause) => {
                (pause.since.min(began) + self.limits.patience, pause.until)
            }
        };
        if now >= end || known_until > end { Stall::Now(self.reason(now)) } else { Stall::NotBefore(end) }
    }

    /// How many requests for secrets were sent within the window.
    #[cfg(test)]
    pub(super) fn sent(&mut self, now: Instant) -> u32 {
        self.budgets[Traffic::Secrets as usize].sent(now)
    }

    fn reason(&self, now: Instant) -> Diagnosis {
        match (&self.phase, &self.throttled) {
            (Phase::Paused(pause) | Phase::Probing(pause), _) => {
                let wait = pause.until.checked_duration_since(now).filter(|wait| !wait.is_zero());
                pause.reason.clone().retry_after(wait)
            }
            (Phase::Open, Some(throttled)) => throttled.clone().retry_after(None),
            (Phase::Open, None) => Diagnosis::new(
                Cause::VaultThrottled,
                "the vault has not yet answered the requests before this one, or as many were sent as are allowed",
            )
            .hint("if the vault allows more, raise --azure-vault-concurrency or --azure-vault-requests"),
        }
    }

    fn send(&mut self, now: Instant, kind: Traffic, purpose: Purpose, namespace: &Arc<str>) -> Pass {
        self.in_flight += 1;
        let (mut purpose, mut probe) = (purpose, false);
        if let Phase::Paused(pause) = &self.phase {
            self.phase = Phase::Probing(pause.clone());
            probe = true;
            if purpose == Purpose::Answer {
                purpose = Purpose::Probe;
            }
        }
        self.budgets[kind as usize].send(now, purpose, namespace);
        Pass { kind, purpose, probe, pauses: self.pauses }
    }

    fn answered(&mut self, now: Instant, pass: Pass) -> Option<Change> {
        self.budget(pass).served(now, pass.purpose);
        self.ramp = self.ramp.saturating_add(1).min(self.limits.concurrency);
        if pass.probe {
            self.refusals = 0;
            self.phase = Phase::Open;
            return Some(Change::Resumed);
        }
        if matches!(self.phase, Phase::Open) {
            self.refusals = 0;
        }
        None
    }

    fn refused(&mut self, now: Instant, pass: Pass, reason: Diagnosis, spread: f64) -> Option<Change> {
        if !pass.probe && pass.pauses != self.pauses {
            self.budget(pass).failed(pass.purpose);
            return None;
        }
        let is_news = matches!(self.phase, Phase::Open);
        let until = self.pause(now, &reason, spread);
        if reason.cause == Cause::VaultThrottled {
            self.budget(pass).refused(now, pass.purpose, until - now);
            self.throttled = Some(reason);
        } else {
            self.budget(pass).failed(pass.purpose);
        }
        is_news.then_some(Change::Paused)
    }

    fn budget(&mut self, pass: Pass) -> &mut Budget {
        &mut self.budgets[pass.kind as usize]
    }

    /// The shortest pause: a vault may ask repeatedly for no wait, or for one that has passed.
    fn least_pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(u32::try_from(self.refusals).unwrap_or(u32::MAX));
        LEAST_PAUSE.saturating_mul(doubled).min(LONGEST_FOR_FAILURE)
    }

    fn pause(&mut self, now: Instant, reason: &Diagnosis, spread: f64) -> Instant {
        let own = Duration::from_secs(BACKOFF[self.refusals.min(BACKOFF.len() - 1)]);
        let own = if reason.cause == Cause::VaultThrottled { own } else { own.min(LONGEST_FOR_FAILURE) };
        let wait = reason.retry_after.map_or(own, |asked| asked.max(self.least_pause()));
        let wait = wait + wait.min(Duration::from_secs(1)).mul_f64(spread.clamp(0.0, 1.0) / 4.0);
        let since = match &self.phase {
            Phase::Open => now,
            Phase::Paused(pause) | Phase::Probing(pause) => pause.since,
        };
        let until = now + wait;
        self.refusals += 1;
        self.pauses += 1;
        self.ramp = 1;
        self.phase = Phase::Paused(Pause { since, until, reason: reason.clone() });
        until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        budgets: Budgets { secrets: 10, keys: 3, certificates: 3, writes: 3 },
        window: Duration::from_secs(10),
        concurrency: 100,
        patience: Duration::from_secs(5),
    };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn throttled(retry_after: Option<u64>) -> Diagnosis {
        Diagnosis::new(Cause::VaultThrottled, "slow down").retry_after(retry_after.map(Duration::from_secs))
    }

    /// A gate at which a request for a secret is always waiting.
    struct Gate {
        start: Instant,
        state: State<()>,
    }

    impl Gate {
        fn new(limits: Limits) -> Self {
            Self { start: Instant::now(), state: State::new(limits) }
        }

        fn next(&mut self, at: f64) -> Next<()> {
            self.next_of(Traffic::Secrets, at)
        }

        fn next_of(&mut self, kind: Traffic, at: f64) -> Next<()> {
            let ticket = self.state.ticket(kind, Rank::First, &Requester::of_test("store"));
            self.state.arrive(&ticket, ());
            let next = self.state.next(self.start + seconds(at));
            self.state.leave(&ticket);
            next
        }

        fn pass(&mut self, at: f64) -> Pass {
            match self.next(at) {
                Next::Send((), pass) => pass,
                other => panic!("{other:?} at {at}"),
            }
        }

        fn waits_until(&mut self, at: f64) -> f64 {
            match self.next(at) {
                Next::WaitUntil(until) => (until - self.start).as_secs_f64(),
                other => panic!("{other:?} at {at}"),
            }
        }

        fn stalls(&self, at: f64) -> Diagnosis {
            let now = self.start + seconds(at);
            match self.state.stall(now, now) {
                Stall::Now(reason) => reason,
                Stall::NotBefore(_) => panic!("it waits at {at}"),
            }
        }

        fn ended(&mut self, at: f64, pass: Pass, end: End) -> Option<Change> {
            self.state.ended(self.start + seconds(at), pass, end, 0.0)
        }
    }

    #[test]
    fn the_budget_is_for_any_window_not_for_fixed_ones() {
        let mut gate = Gate::new(LIMITS);
        for _ in 0..5 {
            gate.pass(9.0);
        }
        for _ in 0..5 {
            gate.pass(10.0);
        }
        let until = gate.waits_until(11.0);
        assert!((19.0..19.2).contains(&until), "{until}");
        for _ in 0..5 {
            gate.pass(until);
        }
        assert!(gate.waits_until(until) >= 20.0);
    }

    #[test]
    fn what_a_namespace_leaves_of_the_window_is_enough_for_another() {
        let budgets = Budgets { secrets: 3200, ..LIMITS.budgets };
        let mut state = State::new(Limits { budgets, concurrency: 10_000, ..LIMITS });
        let now = Instant::now();
        let mut sent = |namespace: &str, wanted: u32| {
            let tickets: Vec<_> = (0..wanted)
                .map(|_| state.ticket(Traffic::Secrets, Rank::First, &Requester::of_test(namespace)))
                .collect();
            for ticket in &tickets {
                state.arrive(ticket, ());
            }
            let count = (0..wanted).take_while(|_| matches!(state.next(now), Next::Send(..))).count();
            for ticket in &tickets {
                state.leave(ticket);
            }
            count
        };
        assert_eq!(sent("flood", 4000), 3100);
        assert_eq!(sent("neighbor", 20), 20);
        assert_eq!(sent("greedy", 4000), 25, "and not all of it for the next");
        assert_eq!(sent("third", 1), 1);
    }

    #[test]
    fn a_namespace_whose_requests_have_left_the_window_may_use_the_reserve_again() {
        let budgets = Budgets { secrets: 3200, ..LIMITS.budgets };
        let mut gate = Gate::new(Limits { budgets, concurrency: 10_000, ..LIMITS });
        let mut sent = |namespace: &str, wanted: u32, at: f64| {
            let now = gate.start + seconds(at);
            (0..wanted)
                .take_while(|_| {
                    let ticket = gate.state.ticket(Traffic::Secrets, Rank::First, &Requester::of_test(namespace));
                    gate.state.arrive(&ticket, ());
                    let is_sent = matches!(gate.state.next(now), Next::Send(..));
                    gate.state.leave(&ticket);
                    is_sent
                })
                .count()
        };
        assert_eq!(sent("neighbor", 30, 0.0), 30);
        assert_eq!(sent("flood", 4000, 5.0), 3070);
        assert_eq!(sent("neighbor", 1, 6.0), 0, "it has used its part");
        assert_eq!(sent("flood", 4000, 10.5), 30);
        assert_eq!(sent("neighbor", 1, 11.5), 1, "nothing of it is in the window");
    }

    #[test]
    fn a_namespace_that_writes_much_leaves_room_for_the_writes_of_others() {
        let budgets = Budgets { writes: 240, ..LIMITS.budgets };
        let mut state = State::new(Limits { budgets, concurrency: 1000, ..LIMITS });
        let now = Instant::now();
        let mut sent = |namespace: &str| {
            let is_sent = |_: &usize| {
                let ticket = state.ticket(Traffic::Writes, Rank::Refresh, &Requester::of_test(namespace));
                state.arrive(&ticket, ());
                let is_sent = matches!(state.next(now), Next::Send(..));
                state.leave(&ticket);
                is_sent
            };
            (0..300).take_while(is_sent).count()
        };
        assert_eq!(sent("flood"), 233);
        assert_eq!(["a", "b", "c"].map(&mut sent), [1, 1, 1]);
    }

    #[test]
    fn each_kind_of_object_has_a_budget_of_its_own() {
        let mut gate = Gate::new(LIMITS);
        for _ in 0..3 {
            assert!(matches!(gate.next_of(Traffic::Keys, 0.0), Next::Send(..)));
        }
        assert!(matches!(gate.next_of(Traffic::Keys, 0.0), Next::WaitUntil(_)));
        gate.pass(0.0);
    }

    #[test]
    fn who_waits_for_a_key_does_not_hold_back_who_waits_for_a_secret() {
        let mut gate = Gate::new(Limits { budgets: Budgets { keys: 1, ..LIMITS.budgets }, ..LIMITS });
        let key = gate.state.ticket(Traffic::Keys, Rank::First, &Requester::of_test("store"));
        assert!(matches!(gate.next_of(Traffic::Keys, 0.0), Next::Send(..)));
        gate.state.arrive(&key, ());
        gate.pass(0.0);
    }

    #[test]
    fn a_refusal_pauses_the_whole_vault_for_as_long_as_it_asks_and_one_probe_ends_the_pause() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(Some(3))));
        assert!((gate.waits_until(1.0) - 3.0).abs() < 1e-6);
        let probe = gate.pass(3.0);
        assert!(matches!(gate.next(3.0), Next::Wait), "only one request probes");
        gate.ended(3.1, probe, End::Answered);
        gate.pass(3.1);
        gate.pass(3.1);
    }

    #[test]
    fn requests_that_were_under_way_when_the_pause_began_do_not_lengthen_it() {
        let mut gate = Gate::new(LIMITS);
        let (first, second) = (gate.pass(0.0), gate.pass(0.0));
        gate.ended(0.0, first, End::Refused(throttled(None)));
        gate.ended(0.5, second, End::Refused(throttled(None)));
        assert!((gate.waits_until(0.6) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn without_a_retry_after_the_waits_double_up_to_3_s_for_a_vault_that_fails() {
        let mut gate = Gate::new(LIMITS);
        let mut at = 0.0;
        for wait in [1, 2, 3, 3, 3] {
            let pass = gate.pass(at);
            gate.ended(at, pass, End::Refused(Diagnosis::new(Cause::VaultUnavailable, "x")));
            let until = gate.waits_until(at);
            assert!((until - at - f64::from(wait)).abs() < 1e-6, "{wait}");
            at = until;
        }
    }

    #[test]
    fn a_vault_that_asks_for_no_wait_is_asked_less_and_less_often() {
        let mut gate = Gate::new(LIMITS);
        let mut at = 0.0;
        for wait in [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0] {
            let pass = gate.pass(at);
            gate.ended(at, pass, End::Refused(throttled(Some(0))));
            let until = gate.waits_until(at);
            assert!((until - at - wait).abs() < 1e-6, "{wait}");
            at = until;
        }
    }

    #[test]
    fn what_was_not_sent_takes_no_place_in_the_window() {
        let mut gate = Gate::new(LIMITS);
        for _ in 0..100 {
            let pass = gate.pass(0.0);
            gate.ended(0.0, pass, End::Unsent);
        }
        for _ in 0..10 {
            gate.pass(0.0);
        }
    }

    #[test]
    fn a_caller_that_would_wait_too_long_learns_what_the_vault_said_and_when_to_come_back() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(Some(30))));
        let told = gate.stalls(10.0);
        assert_eq!(told.cause, Cause::VaultThrottled);
        assert_eq!(told.retry_after, Some(Duration::from_secs(20)));
    }

    #[test]
    fn while_a_vault_keeps_failing_new_callers_fail_at_once() {
        let mut gate = Gate::new(LIMITS);
        let mut at = 0.0;
        for _ in 0..4 {
            let pass = gate.pass(at);
            gate.ended(at, pass, End::Refused(Diagnosis::new(Cause::Timeout, "no answer")));
            at += 5.0;
        }
        let _probe = gate.pass(at);
        assert_eq!(gate.stalls(at).cause, Cause::Timeout);
    }

    #[test]
    fn a_pause_is_news_when_it_begins_and_when_it_ends_not_at_each_probe() {
        let mut gate = Gate::new(LIMITS);
        let (pass, other) = (gate.pass(0.0), gate.pass(0.0));
        let down = || End::Refused(Diagnosis::new(Cause::VaultUnavailable, "x"));
        assert_eq!(gate.ended(0.0, pass, down()), Some(Change::Paused));
        assert_eq!(gate.ended(0.0, other, down()), None);
        let probe = gate.pass(1.0);
        assert_eq!(gate.ended(1.0, probe, down()), None);
        let probe = gate.pass(3.0);
        assert_eq!(gate.ended(3.0, probe, End::Answered), Some(Change::Resumed));
        let pass = gate.pass(3.0);
        assert_eq!(gate.ended(3.0, pass, End::Answered), None);
    }

    #[test]
    fn a_probe_that_nobody_waits_for_leaves_its_place_to_the_next() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(Diagnosis::new(Cause::Timeout, "no answer")));
        let probe = gate.pass(1.0);
        gate.ended(1.5, probe, End::Abandoned);
        let probe = gate.pass(1.5);
        gate.ended(1.6, probe, End::Answered);
        gate.pass(1.6);
    }

    #[test]
    fn after_a_pause_requests_come_gently() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(Diagnosis::new(Cause::VaultUnavailable, "x")));
        let probe = gate.pass(1.0);
        gate.ended(1.0, probe, End::Answered);
        let (one, two) = (gate.pass(1.0), gate.pass(1.0));
        assert!(matches!(gate.next(1.0), Next::Wait));
        gate.ended(1.1, one, End::Answered);
        gate.ended(1.1, two, End::Answered);
        for _ in 0..4 {
            gate.pass(1.1);
        }
        assert!(matches!(gate.next(1.1), Next::Wait));
    }

    proptest! {
        /// Whatever the vault answers, and however often it is asked.
        #[test]
        fn no_window_ever_holds_more_than_the_budget(steps in prop::collection::vec((0u64..700, 0u8..4), 1..400)) {
            let mut gate = Gate::new(LIMITS);
            let mut sent: Vec<f64> = Vec::new();
            let mut at = 0.0;
            for (milliseconds, answer) in steps {
                at += Duration::from_millis(milliseconds).as_secs_f64();
                if let Next::Send((), pass) = gate.next(at) {
                    sent.push(at);
                    gate.ended(at, pass, match answer {
                        0 => End::Refused(throttled(None)),
                        1 => End::Abandoned,
                        _ => End::Answered,
                    });
                }
                let within = sent.iter().filter(|time| **time > at - 10.0).count();
                prop_assert!(within <= 10, "{within} within 10 s at {at}");
                prop_assert!(gate.state.sent(gate.start + seconds(at)) <= 10);
            }
        }

        /// A caller that returns at the given time may send, or gets a later time. Permission comes when the longest
        /// pause is over and everything that was sent before has left the window.
        #[test]
        fn waiting_always_comes_to_an_end(answers in prop::collection::vec(0u8..4, 1..60)) {
            const LONGEST_PAUSE: f64 = 3.0;
            const WINDOW_WITH_SLOT: f64 = 10.1;
            let mut gate = Gate::new(LIMITS);
            let mut at = 0.0;
            for answer in answers {
                let began: f64 = at;
                let pass = loop {
                    match gate.next(at) {
                        Next::Send((), pass) => break pass,
                        Next::WaitUntil(until) => {
                            let until = (until - gate.start).as_secs_f64();
                            prop_assert!(until > at, "told at {at} to come back at {until}");
                            at = until;
                        }
                        Next::Wait => panic!("nothing is under way"),
                    }
                    let waited = at - began;
                    prop_assert!(waited < LONGEST_PAUSE.max(WINDOW_WITH_SLOT) + 1e-6, "{waited} s");
                };
                gate.ended(at, pass, match answer {
                    0 => End::Answered,
                    1 => End::Refused(throttled(Some(2))),
                    2 => End::Refused(Diagnosis::new(Cause::VaultUnavailable, "x")),
                    _ => End::Abandoned,
                });
            }
        }
    }
}
