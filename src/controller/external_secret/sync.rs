//! One sync of one ExternalSecret, in steps. Nothing here writes its status.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clients::Clients;
use super::context::Context;
use super::destination::Destination;
use super::error::{Error, SpecFault};
use super::generated::{Generation, Maker, Minter, Proposal, Used};
use super::made_from::MadeFrom;
use super::memo::{Memo, Remembered};
use super::outcome::{Outcome, Synced};
use super::spec::check;
use super::steps::{self, Known, Look, Step};
use super::subject::Subject;
use super::target::Target;
use super::writing::{Attempt, CONFLICTS, Written, carry_out, remember_reading, write};
use super::{apply, generated, report, templates, unchanged, values};
use crate::api::v1::ExternalSecretSpec;
use crate::budget::Budget;
use crate::controller::core::key::ObjectVersion;
use crate::controller::store_access::error::Error as StoreError;
use crate::provider::{Freshness, Priority, ReadOptions};
use crate::sync::minting::Record;
use crate::sync::plan::Plan;
use crate::sync::refresh::{Due, Reason, TemplatesState, TokenLife};
use crate::sync::target::Owner;
use crate::sync::{SecretData, data};

/// How long a store may take to appear or to be validated before an ExternalSecret that uses it reports that it is
/// waiting. So objects that are applied together are not reported as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// One pass, in steps. Writes the target but never the status.
pub(super) async fn sync_once(
    subject: Subject<'_>,
    remembered: &Remembered,
    context: &Context,
) -> Result<Outcome, Error> {
    // 1 to 3. (client required where the target was changed by somebody else)
    let Remembered { known, .. } = remembered;
    let check = |spec: &ExternalSecretSpec| checked(spec, subject, remembered, context);
    let step = steps::next(subject, context.version, context.settings(), known, check, context).await?;
    let Look { due, destination, target, token } = match step {
        Step::NotOurs => return Ok(Outcome::NotOurs),
        Step::Deleted => {
            apply::finalize(subject, context).await?;
            return Ok(Outcome::Deleted);
        }
        Step::Sync(look) => look,
    };
    let spec = subject.object.spec.get().map_err(Clone::clone)?;
    let owner = Owner::new(&subject.object.metadata, spec, context.version);
    let intact = target.intact(known.last_write.as_ref());
    let was_synced = remembered.was_synced() || intact.is_some();
    if let Some(version) = intact {
        let (found, texts) = (target.found(), target.texts(owner));
        context.remember(subject, |memo| memo.target_intact(version, token, found, texts));
    }
    let reason = match paced(due, subject, context) {
        Due::Now(reason) => reason,
        later => return Ok(Outcome::Unchanged(later)),
    };
    if reason == Reason::TemplatesChanged && has_same_templates(owner, &target, subject, context).await {
        let known = &Known { templates: TemplatesState::Same, ..known.clone() };
        return Ok(Outcome::Unchanged(steps::due(subject, owner, &target, known, token)));
    }
    // The object was changed before the watch showed the status of its first sync, or before there was one.
    let is_asked_again = context.remember(subject, |memo| memo.is_asked_again(subject.object)).unwrap_or_default();
    let is_changed = reason == Reason::First && (was_synced || is_asked_again);
    let read_as = if is_changed { Reason::Changed } else { reason };
    // 4. Read the values. (client required)
    context.remember(subject, Memo::looks_at_generators);
    let generators = generated::used(spec, &subject.key.namespace, context).await?;
    let budget = Arc::new(Budget::default());
    let clients = match Clients::of(spec, subject.key, context.access(), &budget).await {
        Err(Error::Store(StoreError::NotFound(_) | StoreError::NotValidated(_))) if !is_out_of_patience(remembered) => {
            return Ok(Outcome::Waiting);
        }
        clients => clients?,
    };
    let options = read_options(read_as, subject, context);
    let work = Work { owner, reason, clients: &clients, destination: &destination, remembered, budget: &budget };
    if generators.is_empty() {
        return sync_fetched(work, target, options, subject, context).await;
    }
    let values::Read { fetched, expires, budget: held, .. } = values::read(spec, &clients, options).await?;
    context.metrics.external_secrets().expires(subject.measured(), expires);
    generated::charge_keys(&generators, &held)?;
    let missing = values::missing(spec, &fetched);
    let generation = Generation {
        owner,
        status: subject.status,
        reason,
        now: subject.now,
        freshness: options.freshness,
        maker: Maker::With(&*context.providers.registries),
        engine: context.templates.rewrite(),
        budget: &budget,
        held: &held,
    };
    let source = Generated { generators, fetched, missing, before: target };
    sync_generated(generation, source, &destination, remembered, subject, context).await
}

/// What a pass that reads values works with.
#[derive(Clone, Copy)]
struct Work<'a> {
    owner: Owner<'a>,
    reason: Reason,
    clients: &'a Clients,
    destination: &'a Destination,
    remembered: &'a Remembered,
    budget: &'a Arc<Budget>,
}

/// The rest of a pass over an ExternalSecret whose values all come from stores. If another controller has written the
/// target, the values are read again before that is overwritten.
async fn sync_fetched(
    work: Work<'_>,
    mut target: Target,
    mut options: ReadOptions,
    subject: Subject<'_>,
    context: &Context,
) -> Result<Outcome, Error> {
    let Work { owner, reason, clients, destination, remembered, budget } = work;
    let spec = owner.spec;
    let unchanged = || Ok(Outcome::Synced(Synced::by(&Plan::Unchanged, owner)));
    let mut may_be_left_alone = reason == Reason::Interval && matches!(target, Target::Verified);
    if may_be_left_alone && unchanged::at_provider(subject, clients, context).await {
        return unchanged();
    }
    let mut known = Cow::Borrowed(&remembered.known);
    for _ in 0..CONFLICTS {
        let values::Read { fetched, marks, expires, budget: _held } = values::read(spec, clients, options).await?;
        context.metrics.external_secrets().expires(subject.measured(), expires);
        let missing = values::missing(spec, &fetched);
        let values = data::assemble(spec, fetched, context.templates.rewrite(), budget)?;
        let made_from = MadeFrom::new(spec, &values, marks, subject.now, &context.templates);
        // As after a template.
        tokio::task::yield_now().await;
        if may_be_left_alone && has_same_values(&made_from, subject, context) {
            context.remember(subject, |memo| memo.values_confirmed(made_from));
            return unchanged();
        }
        // 5. Work out and write the target. (client required)
        let existing = target.existing(destination, owner, &values, context).await?;
        match write(owner, &values, destination, existing, &known, subject, context).await? {
            Written::Replaced => return Ok(Outcome::Replaced),
            Written::Outdated => {
                let existing = destination.read(owner, context).await?;
                known.to_mut().own = existing.as_ref().map(|existing| ObjectVersion::of(existing.metadata()));
                target = existing.map_or(Target::Absent, Target::Read);
                options.freshness = Freshness::Since(Instant::now());
                may_be_left_alone = false;
            }
            Written::Done(synced) => {
                after_write(owner, reason, &synced, missing, remembered, subject, context).await?;
                context.remember(subject, |memo| {
                    if synced.leaves_target {
                        memo.target_left(owner.manifest(), made_from);
                    } else {
                        memo.target_gone();
                    }
                });
                return Ok(Outcome::Synced(synced));
            }
        }
    }
    Err(Error::Contended { target: owner.target() })
}

/// Whether the target was rendered from the templates that its ConfigMaps and Secrets contain now. Their watch also
/// reports them at its start, when only the status, or the record of a target with generated values, tells what the target
/// was rendered from; and when another part of them changes.
async fn has_same_templates(owner: Owner<'_>, target: &Target, subject: Subject<'_>, context: &Context) -> bool {
    let (events, remembered) =
        context.remember(subject, |memo| (memo.begin_rendering(), memo.texts())).unwrap_or_default();
    let before = match target {
        Target::Verified => remembered,
        read => read.texts(owner),
    };
    let synced = subject.status.and_then(|status| status.synced_templates.as_ref());
    if before.is_none() && synced.is_none() {
        return false;
    }
    // A failure is reported by the sync that follows.
    let Ok(originals) = templates::read(owner, context).await else { return false };
    let has_synced_versions =
        || synced.is_some() && templates::versions_hash(owner, &originals.versions).as_ref() == synced;
    let is_same = (before.is_some() && originals.texts == before) || has_synced_versions();
    if is_same {
        context.remember(subject, |memo| memo.templates_confirmed(&originals, events));
    }
    is_same
}

/// When a refresh is due. Others who keep changing something do not get a sync each time.
fn paced(due: Due, subject: Subject<'_>, context: &Context) -> Due {
    let Due::Now(Reason::TargetChanged | Reason::TemplatesChanged) = due else { return due };
    match context.remember(subject, Memo::reacts) {
        Some(Err(pause)) => subject.now.checked_add(pause).map_or(due, Due::At),
        Some(Ok(())) | None => due,
    }
}

/// What to do after writing a target.
async fn after_write(
    owner: Owner<'_>,
    reason: Reason,
    synced: &Synced,
    missing: Option<String>,
    remembered: &Remembered,
    subject: Subject<'_>,
    context: &Context,
) -> Result<(), Error> {
    if synced.leaves_target && reason == Reason::Changed {
        apply::delete_stale_objects(owner, remembered.written_kind.as_ref(), context).await?;
    }
    if synced.statement.event.is_some() {
        report::missing(subject, missing, context);
    }
    Ok(())
}

/// What was read for an ExternalSecret that uses generators.
struct Generated {
    generators: Vec<Used>,
    fetched: data::Fetched,
    missing: Option<String>,
    before: Target,
}

/// The last step of a pass over an ExternalSecret that uses generators. Whether to keep their values depends on the
/// target, so that is decided again at each attempt to write it: a value that somebody else generated meanwhile is
/// kept.
async fn sync_generated(
    generation: Generation<'_>,
    source: Generated,
    destination: &Destination,
    remembered: &Remembered,
    subject: Subject<'_>,
    context: &Context,
) -> Result<Outcome, Error> {
    let (owner, reason) = (generation.owner, generation.reason);
    let mut minter = Minter::new(generation, source.generators);
    let mut existing = source.before.existing(destination, owner, &SecretData::new(), context).await?;
    if !context.shows(subject) {
        return Ok(Outcome::Replaced);
    }
    apply::add_finalizer(owner, subject, context).await?;
    let mut events = context.remember(subject, Memo::begin_rendering).unwrap_or_default();
    let last_write = remembered.known.last_write.as_ref();
    for _ in 0..CONFLICTS {
        let Proposal { plan, record, lost, rendered_from } =
            minter.propose(&source.fetched, existing.as_ref(), last_write, &context.templates, context).await?;
        events += remember_reading(rendered_from.as_ref(), subject, context);
        let token = record.as_ref().and_then(Record::first_to_end).map(|(made, until)| TokenLife { made, until });
        match carry_out(&plan, owner, destination, existing.as_ref(), subject, context).await? {
            Attempt::Replaced => return Ok(Outcome::Replaced),
            Attempt::Conflict => existing = destination.read(owner, context).await?,
            Attempt::Done(synced) => {
                let synced = synced.with_token(token, owner);
                after_write(owner, reason, &synced, source.missing, remembered, subject, context).await?;
                report::minted_again(subject, &lost, context);
                context.remember(subject, |memo| {
                    memo.templates_seen(rendered_from.as_ref(), events);
                    memo.token_left(token);
                    if synced.leaves_target {
                        memo.target_left(owner.manifest(), MadeFrom::default());
                    } else {
                        memo.target_gone();
                    }
                });
                return Ok(Outcome::Synced(synced));
            }
        }
    }
    Err(Error::Contended { target: owner.target() })
}

/// Whether these values are certainly the ones that the target was made from.
fn has_same_values(made_from: &MadeFrom, subject: Subject<'_>, context: &Context) -> bool {
    context.recall(subject, |memo| memo.has_same_values(made_from)).unwrap_or_default()
}

/// Whether the spec can be worked on. It is checked once per generation of the object.
fn checked(
    spec: &ExternalSecretSpec,
    subject: Subject<'_>,
    remembered: &Remembered,
    context: &Context,
) -> Result<(), SpecFault> {
    let generation = subject.object.metadata.generation;
    remembered.checked(generation).unwrap_or_else(|| {
        let found = check(spec);
        context.remember(subject, |memo| memo.spec_checked(generation, found.clone()));
        found
    })
}

/// A changed ExternalSecret means that somebody is waiting for what the vault says now.
fn read_options(reason: Reason, subject: Subject<'_>, context: &Context) -> ReadOptions {
    match reason {
        Reason::Changed => {
            ReadOptions { freshness: Freshness::Since(asked_at(subject, context)), priority: Priority::First }
        }
        Reason::First | Reason::TargetChanged | Reason::TemplatesChanged => {
            ReadOptions { freshness: Freshness::Shared, priority: Priority::First }
        }
        Reason::Interval | Reason::ClockWentBack | Reason::Expiry => {
            ReadOptions { freshness: Freshness::Shared, priority: Priority::Refresh }
        }
    }
}

/// When the change of the ExternalSecret was first tried. If its read times out in the queue, the answer that arrives
/// later is as good as one that had come at once.
fn asked_at(subject: Subject<'_>, context: &Context) -> Instant {
    let asked = context.remember(subject, |memo| memo.asked(subject.object));
    asked.unwrap_or_else(Instant::now)
}

/// Whether an ExternalSecret has waited for its store for so long that it should report that.
fn is_out_of_patience(remembered: &Remembered) -> bool {
    let since = remembered.waiting_since;
    since.is_some_and(|since| jiff::Timestamp::now().duration_since(since).unsigned_abs() >= PATIENCE)
}
