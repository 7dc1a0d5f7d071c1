//! What is to be done next in one namespace.

use kube::core::DynamicObject;

use super::wanted::Wanted;
use crate::api::v1::condition::READY;
use crate::api::v1::external_secret::controlling_cluster_external_secret;
use crate::api::v1::{ConditionStatus, ExternalSecret};
use crate::sync::last_write::LastWrite;
use crate::sync::plan::Deletion;

/// What is known of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The ClusterExternalSecret is about it.
    Selected,
    /// It is not, or not any more.
    NotSelected,
    /// The namespace is not there, or is being deleted with all that is in it.
    Gone,
}

/// What [`decide`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// What is known of it.
    pub place: Place,
    /// What its ExternalSecret must be.
    pub wanted: &'a Wanted,
    /// The ExternalSecret that has the name, whoever made it.
    pub named: Option<&'a ExternalSecret>,
    /// All that the ClusterExternalSecret controls there.
    pub children: &'a [&'a ExternalSecret],
    /// What was last written.
    pub last: Option<&'a LastWrite>,
}

/// The next write, if there is one. What follows is decided when its effect is seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing is to be written.
    None,
    /// An ExternalSecret is made.
    Create(Box<DynamicObject>),
    /// One is changed.
    Update(Box<DynamicObject>),
    /// One that is not wanted any more is deleted.
    Delete(Deletion, Propagation),
    /// ESO's finalizer is taken off one that is to be deleted without its target, which the finalizer would have deleted.
    Release(Box<DynamicObject>),
}

/// What becomes of the target of an ExternalSecret that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// It is deleted as well, where the ExternalSecret owns it.
    Background,
    /// It stays, for the ExternalSecret of another name that takes it over.
    Orphan,
}

/// What is to be done next in a namespace, and what is said of it once that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The write.
    pub step: Step,
    /// What is said.
    pub outcome: Outcome,
}

/// What is said of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its ExternalSecret is as it should be.
    Provisioned,
    /// It is not, and this is why.
    Failed(String),
    /// Nothing: it is not one of those that the ClusterExternalSecret is about.
    Absent,
}

/// The words of ESO for an ExternalSecret that somebody else made.
pub const TAKEN: &str = "external secret already exists in namespace";
/// The leading words of ESO where one could not be written.
pub const NOT_WRITTEN: &str = "could not create or update ExternalSecret";
/// The leading words of ESO where one that is not wanted any more could not be deleted.
pub const NOT_DELETED: &str = "external secret in non matching namespace could not be deleted";

/// Decides what is to be done next in a namespace.
///
/// Where the name of the ExternalSecrets has changed, the one of the former name goes when the new one is Ready or has failed, so
/// that its Secret is never missing. Where both have the same target, the former one goes first and leaves it behind: an
/// ExternalSecret takes over what nobody owns, and nothing that another one owns.
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

/// One of a former name; those that are to leave their target behind come first.
fn former<'a>(wanted: &Wanted, children: &[&'a ExternalSecret]) -> Option<&'a ExternalSecret> {
    let others = || children.iter().copied().filter(|child| child.metadata.name.as_deref() != Some(wanted.name()));
    others().find(|child| wanted.has_target_of(child)).or_else(|| others().next())
}

fn missing(situation: Situation<'_>, former: Option<&ExternalSecret>) -> Decision {
    let Situation { wanted, namespace, .. } = situation;
    match former.filter(|former| wanted.has_target_of(former)) {
        // Its target is not free before it is gone.
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

/// Deletes an ExternalSecret and leaves its target.
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

/// Whether an ExternalSecret says that it is Ready, or that it is not; `None` while it has said neither of its present spec.
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
