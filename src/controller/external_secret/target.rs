//! What a sync knows of the target, and how it is read.

use super::cluster_view::{ClusterView, Shown};
use super::destination::{Destination, Existing};
use super::error::Error;
use super::subject::Subject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::LABEL_OWNER;
use crate::api::v1::external_secret::{CreationPolicy, DeletionPolicy, ExternalSecretStatus};
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::sync::last_write::LastWrite;
use crate::sync::minting::Record;
use crate::sync::plan::{self, Deletion};
use crate::sync::refresh::{TargetState, TokenLife};
use crate::sync::target::Owner;
use crate::sync::{SecretData, hash};

/// What is known of the target.
pub(crate) enum Target {
    /// It has the version that was last verified; its content was not read.
    Verified,
    /// It was never synced and the watch does not show it, so it is assumed to be absent. That saves a read: creating
    /// it will show whether the assumption is true.
    Assumed,
    /// It does not exist.
    Absent,
    /// It exists, in a version that was not verified before.
    Read(Existing),
}

impl Target {
    /// Whether it still is what was last written, as far as its creation policy cares.
    #[must_use]
    pub(crate) fn state(&self, policy: CreationPolicy, last: Option<&LastWrite>) -> TargetState {
        match self {
            Self::Verified => TargetState::Intact,
            Self::Read(existing) => existing.state(policy, last),
            Self::Assumed | Self::Absent => plan::target_state(policy, None),
        }
    }

    /// The target, if it was read and exists.
    #[must_use]
    pub(crate) fn read(self) -> Option<Existing> {
        match self {
            Self::Read(existing) => Some(existing),
            Self::Verified | Self::Assumed | Self::Absent => None,
        }
    }

    /// The version that still is what was last written, if the target was read.
    #[must_use]
    pub(crate) fn intact(&self, last: Option<&LastWrite>) -> Option<ObjectVersion> {
        match self {
            Self::Read(existing) if existing.is_intact(last) => Some(ObjectVersion::of(existing.metadata())),
            _ => None,
        }
    }

    /// What to remember of a target that was read, is as it was last written, and is not a Secret.
    #[must_use]
    pub(crate) fn found(&self) -> Option<LastWrite> {
        match self {
            Self::Read(existing) => existing.found(),
            Self::Verified | Self::Assumed | Self::Absent => None,
        }
    }

    /// A hash of the templates in other objects that the target was rendered from, if it was read and records that.
    #[must_use]
    pub(crate) fn texts(&self, owner: Owner<'_>) -> Option<String> {
        match self {
            Self::Read(existing) => Record::read(existing.metadata(), owner)?.rendered?.texts,
            Self::Verified | Self::Assumed | Self::Absent => None,
        }
    }

    /// The target with its content, read now unless it was read before.
    ///
    /// # Errors
    /// [`Error::Api`] and [`Error::Object`]
    pub(crate) async fn existing(
        self,
        destination: &Destination,
        owner: Owner<'_>,
        values: &SecretData,
        cluster: &dyn ClusterView,
    ) -> Result<Option<Existing>, Error> {
        // Only a create would show that an assumption was wrong, and none follows here.
        let is_to_go = values.is_empty() && owner.deletion_policy() == DeletionPolicy::Delete;
        match self {
            Self::Verified => destination.read(owner, cluster).await,
            Self::Assumed if is_to_go => destination.read(owner, cluster).await,
            Self::Assumed | Self::Absent => Ok(None),
            Self::Read(existing) => Ok(Some(existing)),
        }
    }
}

/// Looks at the target. Reads it in full only if its version is not the last verified one. A target that is never
/// written is not looked at.
///
/// # Errors
/// [`Error::Api`] and [`Error::Object`]
pub(crate) async fn look_at(
    subject: Subject<'_>,
    owner: Owner<'_>,
    destination: &Destination,
    verified: Option<&ObjectVersion>,
    cluster: &dyn ClusterView,
) -> Result<Target, Error> {
    let policy = owner.creation_policy();
    if policy == CreationPolicy::None {
        return Ok(Target::Assumed);
    }
    let shown = destination.watched(&ObjectKey::new(owner.namespace(), owner.target_name()), cluster);
    if matches!((&shown, verified), (Shown::At(shown), Some(verified)) if shown == verified) {
        return Ok(Target::Verified);
    }
    let was_synced = subject.status.is_some_and(|status| status.synced_resource_version.is_some());
    // A target that is only merged into may not be watched yet.
    let merges = matches!(policy, CreationPolicy::Merge | CreationPolicy::CreateOrMerge);
    if shown == Shown::Absent && verified.is_none() && !was_synced && !merges {
        return Ok(Target::Assumed);
    }
    Ok(destination.read(owner, cluster).await?.map_or(Target::Absent, Target::Read))
}

/// The token that expires first, of those that generators put into a target.
#[must_use]
pub(crate) fn token(meta: &ObjectMeta, owner: Owner<'_>) -> Option<TokenLife> {
    let (made, until) = Record::read(meta, owner)?.first_to_end()?;
    Some(TokenLife { made, until })
}

/// The Secrets of earlier target names, to be deleted when the new target exists. They are looked for only if the name
/// has changed since the last sync, or if the target is no longer a Secret.
///
/// # Errors
/// [`Error::Stale`]
pub(crate) async fn stale(
    owner: Owner<'_>,
    status: Option<&ExternalSecretStatus>,
    cluster: &dyn ClusterView,
) -> Result<Vec<Deletion>, Error> {
    let bound = status.and_then(|status| status.binding.as_ref());
    let is_another = |name: &str| owner.manifest().is_some() || name != owner.target_name();
    if owner.creation_policy() != CreationPolicy::Owner || !bound.is_some_and(|bound| is_another(&bound.name)) {
        return Ok(Vec::new());
    }
    let selector = format!("{LABEL_OWNER}={}", hash::owner_label(owner.namespace(), owner.name()));
    let found = cluster.secrets_labeled(owner.namespace(), &selector).await.map_err(Error::Stale)?;
    Ok(plan::stale(owner, &found))
}
