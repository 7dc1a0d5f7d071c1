//! Compares the desired objects of a PushSecret with the provider's, and carries out the resulting actions.

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

/// How many objects are read or written concurrently.
pub(super) const AT_ONCE: usize = 8;

/// One pass over the objects of a PushSecret.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) context: &'a Context,
    pub(super) policy: UpdatePolicy,
    /// A hash of the sources of the objects.
    pub(super) inputs: u64,
    /// Stores that fail for all objects.
    pub(super) outages: &'a Outages,
}

/// The action for one object.
pub(super) struct Step<'a> {
    pub(super) piece: &'a Piece,
    seen: Seen,
    lock: Arc<ObjectLock>,
    /// How often the object had been written when it was read.
    writes: u64,
}

/// The state of an object, and what follows from it.
struct Seen {
    look: Look,
    purpose: Purpose,
    action: Action,
    /// A hash of the desired form; if the object's sources have not changed, the hash from when it was written.
    digest: u64,
}

/// The result of reading all objects: actions and failures.
#[derive(Default)]
pub(super) struct Looked<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) failures: Vec<ObjectFailure>,
}

/// The result of all actions.
#[derive(Default)]
pub(super) struct Done {
    /// The objects that were written: the remote key and the action.
    pub(super) written: Vec<(String, Action)>,
    /// The records for the status of everything in its desired state, by store.
    pub(super) records: SyncedPushSecrets,
    /// Whether an object was left unchanged because it exists.
    pub(super) has_skipped: bool,
    /// The failures.
    pub(super) failures: Vec<ObjectFailure>,
}

impl Looked<'_> {
    /// Whether a value to keep is missing, so that new ones must be generated.
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
    /// Reads all objects.
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
            // A recovered object gets its desired form, whoever left it there.
            UpdatePolicy::IfNotExists if self.is_recovering(piece) => Purpose::Replace,
            UpdatePolicy::IfNotExists => Purpose::Create,
        };
        let action = piece.settled(decide(purpose, &look.found));
        Ok(Seen { look, purpose, action, digest })
    }

    /// Whether this program recovers an object, according to the status: if the process ended after the recovery, the former value would
    /// stay. If the CRD drops that field, the state in memory has to do.
    fn is_recovering(self, piece: &Piece) -> bool {
        let Self { subject, context, .. } = self;
        let (store, key) = piece.place();
        let has = |recovering: &BTreeMap<String, BTreeSet<String>>| {
            recovering.get(&store).is_some_and(|keys| keys.contains(&key))
        };
        has(&subject.status.recovering)
            || (!context.kept_fields.keeps(".recovering") && has(&context.state.recovering(subject)))
    }

    /// Sends a request to the store of an object, unless the store fails for all.
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
            // A PushSecret without access does not keep others from an object.
            self.context.state.disclaim(self.subject.key, &piece.remote);
        }
        result.map_err(Problem::Provider)
    }

    fn claim(self, seen: &Seen) -> Claim {
        Claim { since: self.subject.since(), digest: seen.digest }
    }

    /// Whether another PushSecret takes precedence over an object. With `IfNotExists`, an existing object causes no conflict.
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
        // After a start, it is known what others have written, but not what they want, until they have compared their objects. The
        // oldest of those that have written it does not wait.
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

    /// Carries out an action.
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
            // As in ESO's status, except objects that were never written here, because they would be deleted later.
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
                // The intent was not recorded, or the value is unknown.
                return Ok(Action::Wait);
            }
            seen = &again;
        }
        self.check_conflict(piece, seen)?;
        if seen.action.writes() {
            if !self.context.shows(self.subject) {
                // It was deleted or recreated meanwhile.
                return Ok(Action::Nothing);
            }
            // Also after a failure, because the write may have reached the provider.
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
            // Only a write shows that a deleted object holds the name.
            Err(Problem::Provider(error)) if error.class == Class::SoftDeleted => self.deleted(piece, seen).await,
            Err(Problem::Provider(error)) if error.class == Class::Busy => Ok(Action::Wait),
            Err(problem) => Err(problem),
        }
    }

    /// An object is in its desired state now.
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

    /// A deleted object holds the name of the one to create.
    async fn deleted(self, piece: &Piece, seen: &Seen) -> Result<Action, Problem> {
        let mut found = self.ask(piece, piece.writer.look_deleted(&piece.remote.name)).await?;
        adopt(&mut found, piece, self.subject);
        let action = decide(seen.purpose, &found);
        if action == Action::Recover {
            if seen.purpose == Purpose::Create {
                // The status must record it first.
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

/// The records that the status must have before anything is written: all objects that this program writes or has written.
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
