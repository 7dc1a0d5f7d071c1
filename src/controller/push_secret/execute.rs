//! Looking at the objects that a PushSecret asks for, and doing what the table says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt as _, stream};

use super::claims::Claim;
use super::cleanup::has_recorded;
use super::context::Context;
use super::error::{ObjectFailure, Problem};
use super::locks::ObjectLock;
use super::outages::Outages;
use super::pieces::Piece;
use super::state::Made;
use super::subject::Subject;
use crate::api::v1alpha1::push_secret::{SyncedPushSecrets, UpdatePolicy};
use crate::provider::write::Look;
use crate::provider::{Class, ProviderError};
use crate::push::{Action, Content, Found, Ownership, Purpose, decide};

/// How many objects are looked at, or written, at the same time.
pub(super) const AT_ONCE: usize = 8;

/// One pass over the objects of a PushSecret.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) context: &'a Context,
    pub(super) policy: UpdatePolicy,
    /// A hash of what the objects are made from.
    pub(super) inputs: u64,
    /// Stores that fail for all objects.
    pub(super) outages: &'a Outages,
}

/// What is to be done with one object.
pub(super) struct Step<'a> {
    pub(super) piece: &'a Piece,
    seen: Seen,
    lock: Arc<ObjectLock>,
    /// How often the object had been written when it was looked at.
    writes: u64,
}

/// What was seen of an object, and what follows.
struct Seen {
    look: Look,
    purpose: Purpose,
    action: Action,
    /// A hash of what is wanted; of what was wanted when it was made, if that is still there.
    digest: u64,
}

/// What was looked at: what is to be done, and what cannot be.
#[derive(Default)]
pub(super) struct Looked<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) failures: Vec<ObjectFailure>,
}

/// What was done.
#[derive(Default)]
pub(super) struct Done {
    /// The objects that were written: the remote key, and what was done.
    pub(super) written: Vec<(String, Action)>,
    /// What the status says of all that is as it should be, by store.
    pub(super) records: SyncedPushSecrets,
    /// Whether an object was left as it is since it exists.
    pub(super) has_skipped: bool,
    /// What could not be done.
    pub(super) failures: Vec<ObjectFailure>,
}

impl Looked<'_> {
    /// Whether a value that was to stay is not there, so that others must be made.
    pub(super) fn lacks_kept(&self) -> bool {
        self.steps.iter().any(|step| step.piece.is_kept() && step.seen.action == Action::Create)
    }
}

/// A foreign object that the PushSecret takes over by its annotation, where its store lets it, is treated as its own.
pub(super) fn adopt(found: &mut Found, piece: &Piece, subject: Subject<'_>) {
    let (Found::Present { ownership, .. } | Found::SoftDeleted { ownership } | Found::Disabled { ownership }) = found
    else {
        return;
    };
    if *ownership == Ownership::Foreign && piece.may_adopt && subject.adopts(&piece.of.remote_key) {
        *ownership = Ownership::Ours;
    }
}

impl<'a> Pass<'a> {
    /// Looks at all objects.
    pub(super) async fn look(self, pieces: &'a [Piece]) -> Looked<'a> {
        let mut looked = Looked::default();
        let mut steps = stream::iter(0..pieces.len())
            .map(|index| {
                let piece = &pieces[index];
                async move { self.step(piece).await.map_err(|problem| piece.failed(problem)) }
            })
            .buffered(AT_ONCE);
        while let Some(step) = steps.next().await {
            match step {
                Ok(step) => looked.steps.push(step),
                Err(failure) => looked.failures.push(failure),
            }
        }
        drop(steps);
        looked
    }

    async fn step(self, piece: &'a Piece) -> Result<Step<'a>, Problem> {
        let lock = self.context.state.lock(&piece.remote);
        let writes = lock.writes();
        let seen = self.see(piece).await?;
        self.check_conflict(piece, &seen)?;
        Ok(Step { piece, seen, lock, writes })
    }

    async fn see(self, piece: &Piece) -> Result<Seen, Problem> {
        let mut look = self.ask(piece, piece.writer.look(&piece.remote.name, Some(&piece.wanted))).await?;
        if matches!(look.found, Found::Present { .. }) {
            self.context.state.is_there(&piece.remote);
        }
        adopt(&mut look.found, piece, self.subject);
        let state = &self.context.state;
        let mut digest = piece.digest();
        if let Some(made) = state.made(self.subject, &piece.remote)
            && made.inputs == self.inputs
            && look.kept.version.as_ref() == Some(&made.version)
            && let Found::Present { content, .. } = &mut look.found
            && let Content::Value(differing) = content
        {
            let differing = std::mem::take(differing);
            *content = if differing.is_empty() { Content::Equal } else { Content::Properties(differing) };
            digest = made.digest;
        }
        let purpose = match self.policy {
            UpdatePolicy::Replace => Purpose::Replace,
            // What is recovered here is to be as it is wanted, whoever left it there.
            UpdatePolicy::IfNotExists if self.is_recovering(piece) => Purpose::Replace,
            UpdatePolicy::IfNotExists => Purpose::Create,
        };
        let action = piece.settled(decide(purpose, &look.found));
        Ok(Seen { look, purpose, action, digest })
    }

    /// Whether an object is recovered here, as the status says; it must, since a process that ends after the recovery would leave the
    /// former value. Where the CRD does not keep that, memory has to do.
    fn is_recovering(self, piece: &Piece) -> bool {
        let Self { subject, context, .. } = self;
        let (store, key) = piece.place();
        let has = |recovering: &BTreeMap<String, BTreeSet<String>>| {
            recovering.get(&store).is_some_and(|keys| keys.contains(&key))
        };
        has(&subject.status.recovering)
            || (!context.kept_fields.keeps(".recovering") && has(&context.state.recovering(subject)))
    }

    /// Sends a request to the store of an object, unless it fails for all.
    async fn ask<T>(
        self,
        piece: &Piece,
        request: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, Problem> {
        if let Some(error) = self.outages.known(&piece.store) {
            return Err(Problem::Provider(error));
        }
        let result = request.await;
        self.outages.note(&piece.store, &result);
        if result.as_ref().is_err_and(|error| matches!(error.class, Class::Denied | Class::Unauthenticated)) {
            // Who has no access keeps nobody from an object.
            self.context.state.disclaim(self.subject.key, &piece.remote);
        }
        result.map_err(Problem::Provider)
    }

    fn claim(self, seen: &Seen) -> Claim {
        Claim { since: self.subject.since(), digest: seen.digest }
    }

    /// Whether another PushSecret keeps this one from writing an object. With `IfNotExists` what is there is nobody's concern.
    fn check_conflict(self, piece: &Piece, seen: &Seen) -> Result<(), Problem> {
        let Self { subject, context, .. } = self;
        if seen.purpose == Purpose::Create && !seen.action.writes() {
            return Ok(());
        }
        if let Some(other) = context.state.older(&piece.remote, subject.key, self.claim(seen)) {
            return Err(Problem::conflict(&other, subject.key));
        }
        if !seen.action.writes() {
            return Ok(());
        }
        // After a start, what others want is not known before they have looked at their objects; what they have written is. The oldest
        // of those that have written it waits for none.
        let is_own = piece.is_recorded_in(subject.status);
        let unseen = context.state.unseen_recorders(&piece.remote, subject.key).into_iter();
        let unseen = unseen.filter(|other| !is_own || context.is_older(other, subject));
        let unseen: Vec<_> =
            unseen.filter(|other| has_recorded(other, piece.writer.as_ref(), &piece.remote, context)).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        context.state.have_look(&unseen);
        Err(Problem::NotYetKnown)
    }

    /// Does what was decided.
    pub(super) async fn act(self, steps: &[Step<'a>]) -> Done {
        let mut done = Done::default();
        let mut acting = stream::iter(0..steps.len())
            .map(|index| {
                let step = &steps[index];
                async move { (step.piece, self.carry_out(step).await) }
            })
            .buffered(AT_ONCE);
        while let Some((piece, result)) = acting.next().await {
            self.note(piece, result, &mut done);
        }
        drop(acting);
        done
    }

    fn note(self, piece: &Piece, result: Result<Action, Problem>, done: &mut Done) {
        let metrics = &self.context.metrics;
        let action = match result {
            Ok(action) => action,
            Err(problem) => {
                metrics.object_pushed("failed");
                done.failures.push(piece.failed(problem));
                return;
            }
        };
        metrics.object_pushed(action.label());
        match action {
            // As in ESO's status, but for what was never written here: it would be deleted later.
            Action::Skip => {
                done.has_skipped = true;
                if piece.is_recorded_in(self.subject.status) {
                    add_records(piece, &mut done.records);
                }
            }
            Action::Recover => done.failures.push(piece.failed(Problem::Recovering)),
            Action::Refuse(refusal) | Action::Leave(refusal) => {
                done.failures.push(piece.failed(Problem::Refused(refusal)));
            }
            Action::Wait => done.failures.push(piece.failed(Problem::Busy)),
            action => {
                add_records(piece, &mut done.records);
                if action.writes() {
                    done.written.push((piece.of.remote_key.clone(), action));
                }
            }
        }
    }

    async fn carry_out(self, step: &Step<'_>) -> Result<Action, Problem> {
        let Step { piece, lock, .. } = step;
        let _held = lock.hold().await;
        let again;
        let mut seen = &step.seen;
        if lock.writes() != step.writes {
            again = self.see(piece).await?;
            let has_lost_kept = piece.is_kept() && again.action == Action::Create;
            if has_lost_kept || (again.action.writes() && !seen.action.writes()) {
                // It was not recorded that it would be written, or nobody knows its value.
                return Ok(Action::Wait);
            }
            seen = &again;
        }
        self.check_conflict(piece, seen)?;
        if seen.action.writes() {
            if !self.context.shows(self.subject) {
                // It was deleted, or made anew, meanwhile.
                return Ok(Action::Nothing);
            }
            // Also of one that fails: it may have reached the provider.
            lock.wrote();
        }
        let (name, kept) = (&piece.remote.name, &seen.look.kept);
        let written = match &seen.action {
            Action::Create | Action::NewVersion(_) => {
                self.ask(piece, piece.writer.write(name, &piece.wanted, kept)).await
            }
            Action::ChangeProperties(differing) => {
                let change = piece.writer.write_properties(name, &piece.wanted, kept, differing);
                self.ask(piece, change).await.map(|()| kept.version.clone())
            }
            Action::Nothing => Ok(kept.version.clone()),
            other => return Ok(other.clone()),
        };
        match written {
            Ok(version) => {
                self.succeeded(piece, seen, version);
                Ok(seen.action.clone())
            }
            // Only a write tells that a name is taken by a deleted object.
            Err(Problem::Provider(error)) if error.class == Class::SoftDeleted => self.deleted(piece, seen).await,
            Err(Problem::Provider(error)) if error.class == Class::Busy => Ok(Action::Wait),
            Err(problem) => Err(problem),
        }
    }

    /// An object is as it is wanted now.
    fn succeeded(self, piece: &Piece, seen: &Seen, version: Option<String>) {
        let Self { subject, context, inputs, .. } = self;
        if let Some(version) = version {
            let made = Made { inputs, version, digest: seen.digest };
            context.state.remember(subject, |memo| memo.made(&piece.remote, made));
        }
        if seen.purpose == Purpose::Replace {
            context.state.claim(subject, &piece.remote, self.claim(seen));
        }
    }

    /// The name of an object that is to be made is taken by a deleted one.
    async fn deleted(self, piece: &Piece, seen: &Seen) -> Result<Action, Problem> {
        let mut found = self.ask(piece, piece.writer.look_deleted(&piece.remote.name)).await?;
        adopt(&mut found, piece, self.subject);
        let action = decide(seen.purpose, &found);
        if action == Action::Recover {
            if seen.purpose == Purpose::Create {
                // The status says so first.
                let (store, key) = piece.place();
                self.context.state.remember(self.subject, |memo| memo.recovers(store, key));
                return Ok(action);
            }
            self.context.state.recovers(&piece.remote, Instant::now());
            match self.ask(piece, piece.writer.recover(&piece.remote.name)).await {
                Err(Problem::Provider(error)) if matches!(error.class, Class::Busy | Class::Absent) => {
                    return Ok(Action::Wait);
                }
                recovered => recovered?,
            }
        }
        Ok(action)
    }
}

/// What the status must say before anything is written: all that is written here, or is known to be.
pub(super) fn intent(steps: &[Step<'_>]) -> SyncedPushSecrets {
    let mut records = SyncedPushSecrets::new();
    for step in steps.iter().filter(|step| step.seen.action.writes()) {
        add_records(step.piece, &mut records);
    }
    records
}

pub(super) fn add_records(piece: &Piece, records: &mut SyncedPushSecrets) {
    for (store, of_store) in &piece.records {
        records.entry(store.clone()).or_default().extend(of_store.clone());
    }
}
