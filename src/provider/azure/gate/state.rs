//! What the gate decides, as a state that is told the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::diagnose::{Cause, Diagnosis};

/// How finely sent requests are counted. Coarser means less memory, and requests held back up to this much longer than
/// the window asks for; never more requests than the budget.
const SLOT: Duration = Duration::from_millis(100);

/// Waits after refusals without a `Retry-After`, in seconds, as Key Vault's guidance has them:
/// <https://learn.microsoft.com/azure/key-vault/general/overview-throttling>.
const BACKOFF: [u64; 5] = [1, 2, 4, 8, 16];

/// The longest wait of its own for a vault that fails rather than asks to slow down.
const LONGEST_FOR_FAILURE: Duration = Duration::from_secs(5);

/// What may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests within a window.
    pub(super) budget: u32,
    /// The window.
    pub(super) window: Duration,
    /// How long a pause is waited out, from the refusal that began it.
    pub(super) patience: Duration,
}

/// The state of the gate to one vault.
#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    sent: Window,
    phase: Phase,
    /// Refusals without a success in between.
    refusals: usize,
    /// Counts the pauses; a request that was sent before a pause began says nothing new when it is refused too.
    pauses: u64,
}

#[derive(Debug)]
enum Phase {
    Open,
    Paused(Pause),
    /// One request finds out whether the pause is over.
    Probing(Pause),
}

/// While a vault is not asked.
#[derive(Clone, Debug)]
struct Pause {
    since: Instant,
    until: Instant,
    reason: Diagnosis,
}

/// What a request may do.
#[derive(Debug)]
pub(super) enum Decision {
    /// Be sent. It must be reported with [`State::ended`].
    Send(Pass),
    /// Ask again at this time, or when the state has changed.
    WaitUntil(Instant),
    /// Ask again when the state has changed.
    Wait,
    /// Fail with what the vault last said: the pause is too long to wait for.
    Refuse(Diagnosis),
}

/// What an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The vault is not asked for a while.
    Paused,
    /// It is asked again.
    Resumed,
}

/// Leave to send one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    probe: bool,
    pauses: u64,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum End {
    /// The vault answered, whatever it said.
    Answered,
    /// The vault asks to slow down, or does not answer.
    Refused(Diagnosis),
    /// Nobody waits for it any more.
    Abandoned,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, sent: Window::default(), phase: Phase::Open, refusals: 0, pauses: 0 }
    }

    /// What a request that began to wait at `began` may do now.
    pub(super) fn decide(&mut self, now: Instant, began: Instant) -> Decision {
        match &self.phase {
            Phase::Open => self.send(now, false),
            Phase::Paused(pause) if now < pause.until => {
                if pause.until > pause.since.min(began) + self.limits.patience {
                    let wait = pause.until - now;
                    Decision::Refuse(pause.reason.clone().retry_after(Some(wait)))
                } else {
                    Decision::WaitUntil(pause.until)
                }
            }
            Phase::Paused(pause) => {
                let pause = pause.clone();
                let decision = self.send(now, true);
                if matches!(decision, Decision::Send(_)) {
                    self.phase = Phase::Probing(pause);
                }
                decision
            }
            Phase::Probing(pause) => {
                if now > pause.since + self.limits.patience {
                    // The time that the vault asked to wait is over.
                    Decision::Refuse(pause.reason.clone().retry_after(None))
                } else {
                    Decision::Wait
                }
            }
        }
    }

    /// A request that had leave ended. `spread`, from 0 to 1, is added to the wait so that controllers that share
    /// a vault do not come back together.
    pub(super) fn ended(&mut self, now: Instant, pass: Pass, end: End, spread: f64) -> Option<Change> {
        match end {
            End::Answered if pass.probe => {
                self.refusals = 0;
                self.phase = Phase::Open;
                return Some(Change::Resumed);
            }
            End::Answered => {
                if matches!(self.phase, Phase::Open) {
                    self.refusals = 0;
                }
            }
            End::Abandoned => {
                if let (true, Phase::Probing(pause)) = (pass.probe, &self.phase) {
                    self.phase = Phase::Paused(Pause { until: now, ..pause.clone() });
                }
            }
            End::Refused(reason) if pass.probe || pass.pauses == self.pauses => {
                let is_news = matches!(self.phase, Phase::Open);
                self.pause(now, reason, spread);
                return is_news.then_some(Change::Paused);
            }
            End::Refused(_) => {}
        }
        None
    }

    /// How many requests were sent within the window.
    #[cfg(test)]
    pub(super) fn sent(&mut self, now: Instant) -> u32 {
        self.sent.count(now, self.limits.window)
    }

    fn send(&mut self, now: Instant, probe: bool) -> Decision {
        match self.sent.take(now, self.limits.budget, self.limits.window) {
            Ok(()) => Decision::Send(Pass { probe, pauses: self.pauses }),
            Err(at) => Decision::WaitUntil(at),
        }
    }

    fn pause(&mut self, now: Instant, reason: Diagnosis, spread: f64) {
        let own = Duration::from_secs(BACKOFF[self.refusals.min(BACKOFF.len() - 1)]);
        let own = if reason.cause == Cause::VaultThrottled { own } else { own.min(LONGEST_FOR_FAILURE) };
        let wait = reason.retry_after.unwrap_or(own);
        let wait = wait + wait.min(Duration::from_secs(1)).mul_f64(spread.clamp(0.0, 1.0) / 4.0);
        let since = match &self.phase {
            Phase::Open => now,
            Phase::Paused(pause) | Phase::Probing(pause) => pause.since,
        };
        self.refusals += 1;
        self.pauses += 1;
        self.phase = Phase::Paused(Pause { since, until: now + wait, reason });
    }
}

/// Requests that were sent, counted in slots of [`SLOT`], oldest first.
#[derive(Debug, Default)]
struct Window {
    slots: VecDeque<(Instant, u32)>,
    total: u32,
}

impl Window {
    /// Counts one request, or says when there is room for it.
    fn take(&mut self, now: Instant, budget: u32, window: Duration) -> Result<(), Instant> {
        if self.count(now, window) >= budget.max(1) {
            return Err(self.slots.front().map_or(now, |(began, _)| *began + SLOT + window));
        }
        self.total += 1;
        match self.slots.back_mut() {
            Some((began, count)) if now < *began + SLOT => *count += 1,
            _ => self.slots.push_back((now, 1)),
        }
        Ok(())
    }

    /// How many were sent within the window before `now`. A slot counts until all of it is out of the window.
    fn count(&mut self, now: Instant, window: Duration) -> u32 {
        while let Some((began, count)) = self.slots.front() {
            if *began + SLOT + window > now {
                break;
            }
            self.total -= count;
            self.slots.pop_front();
        }
        self.total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { budget: 10, window: Duration::from_secs(10), patience: Duration::from_secs(5) };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn throttled(retry_after: Option<u64>) -> Diagnosis {
        Diagnosis::new(Cause::VaultThrottled, "slow down").retry_after(retry_after.map(Duration::from_secs))
    }

    struct Gate {
        start: Instant,
        state: State,
    }

    impl Gate {
        fn new(limits: Limits) -> Self {
            Self { start: Instant::now(), state: State::new(limits) }
        }

        fn decide(&mut self, at: f64) -> Decision {
            let now = self.start + seconds(at);
            self.state.decide(now, now)
        }

        fn pass(&mut self, at: f64) -> Pass {
            match self.decide(at) {
                Decision::Send(pass) => pass,
                other => panic!("{other:?} at {at}"),
            }
        }

        fn waits_until(&mut self, at: f64) -> f64 {
            match self.decide(at) {
                Decision::WaitUntil(until) => (until - self.start).as_secs_f64(),
                other => panic!("{other:?} at {at}"),
            }
        }

        fn refuses(&mut self, at: f64) -> Diagnosis {
            match self.decide(at) {
                Decision::Refuse(diagnosis) => diagnosis,
                other => panic!("{other:?} at {at}"),
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
    fn a_refusal_pauses_the_whole_vault_for_as_long_as_it_asks_and_one_probe_ends_the_pause() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(Some(3))));
        assert!((gate.waits_until(1.0) - 3.0).abs() < 1e-6);
        let probe = gate.pass(3.0);
        assert!(matches!(gate.decide(3.0), Decision::Wait), "only one request probes");
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
    fn without_a_retry_after_the_waits_double_up_to_16_s_and_to_5_s_for_a_vault_that_fails() {
        for (cause, expected) in
            [(Cause::VaultThrottled, [1, 2, 4, 8, 16, 16]), (Cause::VaultUnavailable, [1, 2, 4, 5, 5, 5])]
        {
            let mut gate = Gate::new(Limits { patience: Duration::from_hours(1), ..LIMITS });
            let mut at = 0.0;
            for wait in expected {
                let pass = gate.pass(at);
                gate.ended(at, pass, End::Refused(Diagnosis::new(cause, "x")));
                let until = gate.waits_until(at);
                assert!((until - at - f64::from(wait)).abs() < 1e-6, "{cause:?}: {wait}");
                at = until;
            }
        }
    }

    #[test]
    fn a_pause_that_is_too_long_fails_with_what_the_vault_said_and_when_to_come_back() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(Some(30))));
        let refused = gate.refuses(10.0);
        assert_eq!(refused.cause, Cause::VaultThrottled);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(20)));
    }

    #[test]
    fn while_a_vault_keeps_failing_one_request_probes_and_the_others_fail_at_once() {
        let mut gate = Gate::new(LIMITS);
        let mut at = 0.0;
        for _ in 0..4 {
            let pass = gate.pass(at);
            gate.ended(at, pass, End::Refused(Diagnosis::new(Cause::Timeout, "no answer")));
            at += 5.0;
        }
        let _probe = gate.pass(at);
        assert_eq!(gate.refuses(at).cause, Cause::Timeout);
    }

    #[test]
    fn a_pause_is_news_when_it_begins_and_when_it_ends_not_at_each_probe() {
        let mut gate = Gate::new(LIMITS);
        let (pass, other) = (gate.pass(0.0), gate.pass(0.0));
        assert_eq!(gate.ended(0.0, pass, End::Refused(throttled(None))), Some(Change::Paused));
        assert_eq!(gate.ended(0.0, other, End::Refused(throttled(None))), None);
        let probe = gate.pass(1.0);
        assert_eq!(gate.ended(1.0, probe, End::Refused(throttled(None))), None);
        let probe = gate.pass(3.0);
        assert_eq!(gate.ended(3.0, probe, End::Answered), Some(Change::Resumed));
        let pass = gate.pass(3.0);
        assert_eq!(gate.ended(3.0, pass, End::Answered), None);
    }

    #[test]
    fn a_probe_that_nobody_waits_for_leaves_its_place_to_the_next() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(None)));
        let probe = gate.pass(1.0);
        gate.ended(1.5, probe, End::Abandoned);
        let probe = gate.pass(1.5);
        gate.ended(1.6, probe, End::Answered);
        gate.pass(1.6);
    }

    #[test]
    fn after_a_success_the_waits_begin_anew() {
        let mut gate = Gate::new(LIMITS);
        let pass = gate.pass(0.0);
        gate.ended(0.0, pass, End::Refused(throttled(None)));
        let probe = gate.pass(1.0);
        gate.ended(1.0, probe, End::Answered);
        let pass = gate.pass(1.0);
        gate.ended(1.0, pass, End::Refused(throttled(None)));
        assert!((gate.waits_until(1.0) - 2.0).abs() < 1e-6);
    }

    proptest! {
        /// Whatever the vault answers and however often it is asked.
        #[test]
        fn no_window_ever_holds_more_than_the_budget(steps in prop::collection::vec((0u64..700, 0u8..4), 1..400)) {
            let mut gate = Gate::new(LIMITS);
            let mut sent: Vec<f64> = Vec::new();
            let mut at = 0.0;
            for (milliseconds, answer) in steps {
                at += Duration::from_millis(milliseconds).as_secs_f64();
                if let Decision::Send(pass) = gate.decide(at) {
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

        /// Whoever waits until the time it was told gets leave, or is told a later time, or why not; never nothing.
        #[test]
        fn waiting_always_comes_to_an_end(answers in prop::collection::vec(0u8..3, 1..60)) {
            let mut gate = Gate::new(LIMITS);
            let mut at = 0.0;
            for answer in answers {
                let mut tries = 0;
                let pass = loop {
                    tries += 1;
                    prop_assert!(tries < 4);
                    match gate.decide(at) {
                        Decision::Send(pass) => break Some(pass),
                        Decision::WaitUntil(until) => at = (until - gate.start).as_secs_f64(),
                        Decision::Refuse(reason) => {
                            at += reason.retry_after.unwrap().as_secs_f64();
                            break None;
                        }
                        Decision::Wait => panic!("nobody probes"),
                    }
                };
                if let Some(pass) = pass {
                    gate.ended(at, pass, match answer {
                        0 => End::Answered,
                        1 => End::Refused(throttled(Some(2))),
                        _ => End::Abandoned,
                    });
                }
            }
        }
    }
}
