//! Where an ExternalSecret writes: a Secret, or an object of another kind.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::cluster_view::{ClusterView, Shown};
use super::error::Error;
use super::kind_discovery::TargetKind;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::CreationPolicy;
use crate::controller::core::api_call::Verb;
use crate::controller::core::key::ObjectKey;
use crate::controller::options::GenericTargets;
use crate::sync::last_write::LastWrite;
use crate::sync::object::{self, TargetObject};
use crate::sync::plan::{self, Present, TargetSecret};
use crate::sync::refresh::TargetState;
use crate::sync::target::Owner;

/// What kind of object a target is.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    Secret,
    Object(Arc<TargetKind>),
}

/// An existing target with its content.
pub(crate) enum Existing {
    Secret(Box<TargetSecret>),
    Object(Box<TargetObject>),
}

impl Destination {
    /// The destination that a spec in this namespace asks for.
    ///
    /// # Errors
    /// [`Error::GenericTargetsOff`] and [`Error::Kind`]
    pub(crate) async fn of(
        spec: &ExternalSecretSpec,
        namespace: &str,
        generic_targets: GenericTargets,
        cluster: &dyn ClusterView,
    ) -> Result<Self, Error> {
        let Some(manifest) = spec.target.as_ref().and_then(|target| target.manifest.as_ref()) else {
            return Ok(Self::Secret);
        };
        match generic_targets {
            GenericTargets::Refused => Err(Error::GenericTargetsOff),
            GenericTargets::Allowed => Ok(Self::Object(cluster.target_kind(manifest, namespace).await?)),
        }
    }

    /// What a watch shows of the target. A kind other than Secret is watched only from its first use on.
    #[must_use]
    pub(crate) fn watched(&self, key: &ObjectKey, cluster: &dyn ClusterView) -> Shown {
        match self {
            Self::Secret => cluster.watched_secret(key),
            Self::Object(kind) => kind.version_of(key).map_or(Shown::Unknown, Shown::At),
        }
    }

    /// Reads the target in full.
    ///
    /// # Errors
    /// [`Error::Api`] and [`Error::Object`]
    pub(crate) async fn read(&self, owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Option<Existing>, Error> {
        let key = ObjectKey::new(owner.namespace(), owner.target_name());
        match self {
            Self::Secret => match cluster.target_secret(&key).await {
                Ok(secret) => Ok(secret.map(|secret| Existing::Secret(Box::new(TargetSecret::new(secret))))),
                Err(error) => Err(Error::Api { verb: Verb::Read, target: owner.target(), error }),
            },
            Self::Object(kind) => match cluster.target_object(kind, &key).await {
                Ok(object) => Ok(object.map(|object| Existing::Object(Box::new(TargetObject::new(object))))),
                Err(error) => Err(Error::object(Verb::Read, owner, kind, &error)),
            },
        }
    }
}

impl Existing {
    /// The target's metadata.
    #[must_use]
    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Secret(secret) => &secret.object().metadata,
            Self::Object(object) => &object.object().metadata,
        }
    }

    /// The parts that decide whether the target may be written or deleted.
    #[must_use]
    pub(crate) fn present(&self) -> Present<'_> {
        match self {
            Self::Secret(secret) => secret.object().into(),
            Self::Object(object) => object.object().into(),
        }
    }

    /// The Secret, if the target is one.
    #[must_use]
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret.object()),
            Self::Object(_) => None,
        }
    }

    /// The object, if the target is not a Secret.
    #[must_use]
    pub(crate) fn object(&self) -> Option<&DynamicObject> {
        match self {
            Self::Secret(_) => None,
            Self::Object(object) => Some(object.object()),
        }
    }

    /// Whether it still is what was last written, as far as its creation policy cares.
    #[must_use]
    pub(crate) fn state(&self, policy: CreationPolicy, last: Option<&LastWrite>) -> TargetState {
        match self {
            Self::Secret(secret) => plan::target_state(policy, Some(secret.object())),
            Self::Object(object) => plan::object_state(policy, Some(object.object()), last),
        }
    }

    /// Whether it is what `owner` wrote, as far as that can be known: see [`object::is_whole`].
    #[must_use]
    pub(crate) fn is_whole(&self, owner: Owner<'_>, last: Option<&LastWrite>) -> bool {
        match self {
            Self::Object(object) if last.is_none() => self.is_intact(last) || object::is_whole(object.object(), owner),
            Self::Secret(_) | Self::Object(_) => self.is_intact(last),
        }
    }

    /// What to remember of a target that is as it was last written and is not a Secret.
    #[must_use]
    pub(crate) fn found(&self) -> Option<LastWrite> {
        self.object().map(object::found)
    }

    /// Whether it has the content that was last written.
    #[must_use]
    pub(crate) fn is_intact(&self, last: Option<&LastWrite>) -> bool {
        match self {
            Self::Secret(secret) => plan::is_intact(secret.object()),
            Self::Object(object) => object::is_intact(object.object(), last),
        }
    }
}
