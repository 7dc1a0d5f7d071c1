//! What to do next in one namespace.

use kube::core::DynamicObject;

use super::wanted::{LastChild, Wanted};
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::controlling_cluster_external_secret;
use crate::api::v1::{ConditionStatus, ExternalSecret};
use crate::sync::plan::Deletion;

/// The state of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The ClusterExternalSecret selects it.
    Selected,
    /// It is not selected, or no longer.
    NotSelected,
    /// It does not exist, or is being deleted with everything in it.
    Gone,
}

/// The input of [`decide`].
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// Its state.
    pub place: Place,
    /// What its ExternalSecret must be.
    pub wanted: &'a Wanted,
    /// The ExternalSecret with the wanted name, whoever created it.
    pub named: Option<&'a ExternalSecret>,
    /// All ExternalSecrets there that the ClusterExternalSecret controls.
    pub children: &'a [&'a ExternalSecret],
    /// The last write.
    pub last: Option<&'a LastChild>,
}

/// The next write, if any. Whatever follows is decided when its effect is visible.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing has to be written.
    None,
    /// Create an ExternalSecret.
    Create(Box<DynamicObject>),
    /// Update an ExternalSecret.
    Update(Box<DynamicObject>),
    /// Delete an ExternalSecret that is no longer wanted.
    Delete(Deletion, Propagation),
    /// Remove ESO's finalizer from an ExternalSecret that will be deleted without its target: the finalizer would
    /// delete the target.
    Release(Box<DynamicObject>),
}

/// What happens to the target of a deleted ExternalSecret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// It is deleted, too, if the ExternalSecret owns it.
    Background,
    /// It stays for the ExternalSecret of another name that takes it over.
    Orphan,
}

/// What to do next in a namespace, and what to report when that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The write.
    pub step: Step,
    /// The result to report.
    pub outcome: Outcome,
}

/// The result in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its ExternalSecret is correct.
    Provisioned,
    /// It is not, for this reason.
    Failed(String),
    /// Nothing to report: the ClusterExternalSecret does not select it.
    Absent,
}

/// ESO's message for an ExternalSecret that somebody else created.
pub const TAKEN: &str = "external secret already exists in namespace";
/// The first words of ESO's message if one could not be written.
pub const NOT_WRITTEN: &str = "could not create or update ExternalSecret";
/// The first words of ESO's message if one that is no longer wanted could not be deleted.
pub const NOT_DELETED: &str = "external secret in non matching namespace could not be deleted";

/// Decides what to do next in a namespace.
///
/// If the name of the ExternalSecrets has changed, the one with the former name is deleted when the new one is Ready or
/// has failed, so that its Secret is never missing. If both have the same target, the former one is deleted first and
/// leaves the target behind, because an ExternalSecret takes over a target without an owner, but not one that another
/// ExternalSecret owns.
#[must_use]
pub fn decide(situation: Situation<'_>) -> Decision {
    let Situation { place, wanted, named, children, .. } = situation;
    match place {
        Place::Gone => Decision { step: Step::None, outcome: Outcome::Absent },
        Place::NotSelected => {
            let first = children.iter().find(|child| !is_being_deleted(child));
            let step = first.map_or(Step::None, |child| deleted(child, Propagation::Background));
            Decision { step, outcome: Outcome::Absent }
        }
        Place::Selected => {
            let former = former(wanted, children);
            match named {
                None => missing(situation, former),
                Some(existing) => present(situation, existing, former),
            }
        }
    }
}

/// An ExternalSecret with a former name. Those that must leave their target behind come first.
fn former<'a>(wanted: &Wanted, children: &[&'a ExternalSecret]) -> Option<&'a ExternalSecret> {
    let others = || children.iter().copied().filter(|child| child.metadata.name.as_deref() != Some(wanted.name()));
    others().find(|child| wanted.has_target_of(child)).or_else(|| others().next())
}

fn missing(situation: Situation<'_>, former: Option<&ExternalSecret>) -> Decision {
    let Situation { wanted, namespace, .. } = situation;
    match former.filter(|former| wanted.has_target_of(former)) {
        Some(former) if is_held(former) => {
            let name = former.metadata.name.as_deref().unwrap_or_default();
            let reason = format!(
                "{NOT_WRITTEN}: the one with the former name, {name:?}, is being deleted, and a finalizer holds it"
            );
            Decision { step: Step::None, outcome: Outcome::Failed(reason) }
        }
        // Its target is not free until it is gone.
        Some(former) => Decision { step: orphaning(wanted, former), outcome: Outcome::Provisioned },
        None => Decision { step: Step::Create(Box::new(wanted.created(namespace))), outcome: Outcome::Provisioned },
    }
}

fn present(situation: Situation<'_>, existing: &ExternalSecret, former: Option<&ExternalSecret>) -> Decision {
    let wanted = situation.wanted;
    if controlling_cluster_external_secret(&existing.metadata) != Some(wanted.owner_name()) {
        return Decision { step: Step::None, outcome: Outcome::Failed(TAKEN.to_owned()) };
    }
    if is_being_deleted(existing) {
        let reason = format!("{NOT_WRITTEN}: it is being deleted, and a finalizer holds it");
        return Decision { step: Step::None, outcome: Outcome::Failed(reason) };
    }
    if !wanted.is_met_by(existing, situation.last) {
        return Decision { step: Step::Update(Box::new(wanted.updated(existing))), outcome: Outcome::Provisioned };
    }
    let step = match former {
        Some(former) if is_being_deleted(former) => Step::None,
        Some(former) if wanted.has_target_of(former) => orphaning(wanted, former),
        Some(former) if readiness(existing).is_some() => deleted(former, Propagation::Background),
        Some(_) | None => Step::None,
    };
    Decision { step, outcome: Outcome::Provisioned }
}

/// Deletes an ExternalSecret but not its target.
fn orphaning(wanted: &Wanted, former: &ExternalSecret) -> Step {
    if is_being_deleted(former) {
        return Step::None;
    }
    match wanted.released(former) {
        Some(released) => Step::Release(Box::new(released)),
        None => deleted(former, Propagation::Orphan),
    }
}

fn deleted(child: &ExternalSecret, propagation: Propagation) -> Step {
    Step::Delete(Deletion::of(&child.metadata), propagation)
}

fn is_being_deleted(object: &ExternalSecret) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// Whether somebody must remove a finalizer before it is deleted.
fn is_held(object: &ExternalSecret) -> bool {
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    // The first of these is that of the garbage collector, which is at work.
    is_being_deleted(object)
        && finalizers.iter().any(|finalizer| !matches!(finalizer.as_str(), "orphan" | "foregroundDeletion"))
}

/// Whether an ExternalSecret reports that it is Ready; `None` if it has not reported on its current spec.
#[must_use]
pub fn readiness(object: &ExternalSecret) -> Option<bool> {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == READY)?;
    let is_current = ready.observed_generation.is_none_or(|generation| Some(generation) == object.metadata.generation);
    match ready.status {
        _ if !is_current => None,
        ConditionStatus::True => Some(true),
        ConditionStatus::False => Some(false),
        ConditionStatus::Unknown => None,
    }
}
