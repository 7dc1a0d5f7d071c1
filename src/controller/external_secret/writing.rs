//! Writes the target of one ExternalSecret, and remembers what it is then.

use super::apply;
use super::context::Context;
use super::destination::{Destination, Existing};
use super::error::Error;
use super::memo::Memo;
use super::outcome::Synced;
use super::planning::{Planner, RenderedFrom};
use super::steps::Known;
use super::subject::Subject;
use crate::controller::core::key::ObjectVersion;
use crate::sync::SecretData;
use crate::sync::plan::Plan;
use crate::sync::target::Owner;

/// How often to repeat a write that conflicted with another writer.
pub(super) const CONFLICTS: usize = 4;

/// The result of writing a target.
pub(super) enum Written {
    /// The target is up to date.
    Done(Synced),
    /// The ExternalSecret was deleted or recreated: the values that were read for it must not be written.
    Replaced,
    /// Another controller has written the target, perhaps with newer values.
    Outdated,
}

/// Whether a plan overwrites what another controller wrote: the content matches the target's own hash, but this process
/// does not know its version. Two controllers run at once while a Deployment without leader election is rolled out.
fn replaces_anothers_write(plan: &Plan, existing: Option<&Existing>, known: &Known) -> bool {
    let replaces = matches!(plan, Plan::Update(_) | Plan::UpdateObject(_) | Plan::Delete(_));
    let is_anothers = |existing: &Existing| {
        existing.is_intact(known.last_write.as_ref())
            && known.own.as_ref() != Some(&ObjectVersion::of(existing.metadata()))
    };
    replaces && existing.is_some_and(is_anothers)
}

/// Plans and writes. After a conflict, reads the target again and makes a new plan.
pub(super) async fn write(
    owner: Owner<'_>,
    values: &SecretData,
    destination: &Destination,
    mut existing: Option<Existing>,
    known: &Known,
    subject: Subject<'_>,
    context: &Context,
) -> Result<Written, Error> {
    if !context.shows(subject) {
        return Ok(Written::Replaced);
    }
    apply::add_finalizer(owner, subject, context).await?;
    let mut events = context.remember(subject, Memo::begin_rendering).unwrap_or_default();
    let mut planner = Planner::new(owner, values, &context.templates, context);
    for _ in 0..CONFLICTS {
        let plan = planner.plan(existing.as_ref(), known.last_write.as_ref()).await;
        let rendered_from = planner.rendered_from();
        events += remember_reading(rendered_from.as_ref(), subject, context);
        let plan = plan?;
        if replaces_anothers_write(&plan, existing.as_ref(), known) {
            return Ok(Written::Outdated);
        }
        match carry_out(&plan, owner, destination, existing.as_ref(), subject, context).await? {
            Attempt::Replaced => return Ok(Written::Replaced),
            Attempt::Conflict => existing = destination.read(owner, context).await?,
            Attempt::Done(synced) => {
                context.remember(subject, |memo| memo.templates_seen(rendered_from.as_ref(), events));
                return Ok(Written::Done(synced));
            }
        }
    }
    Err(Error::Contended { target: owner.target() })
}

/// The result of one attempt to write a target.
pub(super) enum Attempt {
    /// The ExternalSecret was deleted or recreated.
    Replaced,
    /// Another writer was faster.
    Conflict,
    /// Written as planned.
    Done(Synced),
}

/// Carries out a plan for a target that was read before, and remembers the result.
pub(super) async fn carry_out(
    plan: &Plan,
    owner: Owner<'_>,
    destination: &Destination,
    existing: Option<&Existing>,
    subject: Subject<'_>,
    context: &Context,
) -> Result<Attempt, Error> {
    let mut synced = Synced::by(plan, owner);
    let before = existing.map(|existing| ObjectVersion::of(existing.metadata()));
    // Rendering may have taken long.
    if !context.shows(subject) {
        return Ok(Attempt::Replaced);
    }
    let (version, written) = match apply::execute(plan, owner, destination, context).await? {
        apply::Written::Conflict => return Ok(Attempt::Conflict),
        apply::Written::Nothing => (before, None),
        apply::Written::Target(version) => (Some(version), None),
        apply::Written::Object(version, written) => {
            // The API server turned our write into what exists already.
            if before.as_ref() == Some(&version) {
                synced = Synced::by(&Plan::Unchanged, owner);
            }
            (Some(version), Some(written))
        }
    };
    if let Some(version) = version {
        context.remember(subject, |memo| memo.target_written(version, written));
    }
    if synced.leaves_target {
        apply::delete_stale(owner, subject, context).await?;
    }
    Ok(Attempt::Done(synced))
}

/// Remembers the versions that templates were read in, so that the watch does not report these as changed. Returns how many
/// changes this counts.
pub(super) fn remember_reading(rendered_from: Option<&RenderedFrom>, subject: Subject<'_>, context: &Context) -> u64 {
    let counted = rendered_from.and_then(|from| context.remember(subject, |memo| memo.templates_read(&from.versions)));
    counted.unwrap_or_default()
}
