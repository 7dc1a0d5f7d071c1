//! Where an ExternalSecret writes: a Secret, or an object of another kind.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use kube::runtime::reflector::ObjectRef;

use super::cluster_view::ClusterView;
use super::context::Context;
use super::error::Error;
use super::target_kinds::TargetKind;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::CreationPolicy;
use crate::controller::core::api_call::bounded;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::options::GenericTargets;
use crate::sync::object::{LastWrite, TargetObject};
use crate::sync::plan::{self, Present, TargetSecret};
use crate::sync::refresh::TargetState;
use crate::sync::target::Owner;

/// What kind of object a target is.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A Secret.
    Secret,
    /// An object of another kind.
    Object(Arc<TargetKind>),
}

/// A target that is there, with its content.
pub enum Existing {
    /// A Secret.
    Secret(Box<TargetSecret>),
    /// An object of another kind.
    Object(Box<TargetObject>),
}

impl Destination {
    /// What a spec of this namespace asks for.
    pub(super) async fn of(spec: &ExternalSecretSpec, namespace: &str, context: &Context) -> Result<Self, Error> {
        let Some(manifest) = spec.target.as_ref().and_then(|target| target.manifest.as_ref()) else {
            return Ok(Self::Secret);
        };
        if context.options.generic_targets == GenericTargets::Refused {
            return Err(Error::GenericTargetsOff);
        }
        Ok(Self::Object(context.target_kinds.get(manifest, namespace).await?))
    }

    /// The version of the target that the watch shows.
    pub(super) fn watched(&self, key: &ObjectKey, context: &Context) -> Option<ObjectVersion> {
        match self {
            Self::Secret => {
                let secret = context.watched.secrets.get(&ObjectRef::new(&key.name).within(&key.namespace));
                secret.map(|secret| ObjectVersion::of(&secret.metadata))
            }
            Self::Object(kind) => kind.watched(key),
        }
    }

    /// Whether a target that the watch does not show may be taken to be absent.
    pub(super) const fn is_watched_from_the_start(&self) -> bool {
        matches!(self, Self::Secret)
    }

    /// Reads the target in full.
    pub(super) async fn read(&self, owner: Owner<'_>, context: &Context) -> Result<Option<Existing>, Error> {
        match self {
            Self::Secret => {
                let found = secret(owner, context).await?;
                Ok(found.map(|secret| Existing::Secret(Box::new(secret))))
            }
            Self::Object(kind) => {
                let api = kind.api(&context.client, owner.namespace());
                let found = bounded(api.get_opt(owner.target_name())).await;
                let found = found.map_err(|error| Error::object("read", owner, kind, &error))?;
                Ok(found.map(|object| Existing::Object(Box::new(TargetObject::new(object)))))
            }
        }
    }
}

impl Existing {
    /// The target's metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Secret(secret) => &secret.object().metadata,
            Self::Object(object) => &object.object().metadata,
        }
    }

    /// What of it says whether it may be written or deleted.
    #[must_use]
    pub fn present(&self) -> Present<'_> {
        match self {
            Self::Secret(secret) => secret.object().into(),
            Self::Object(object) => object.object().into(),
        }
    }

    /// The Secret, if it is one.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret.object()),
            Self::Object(_) => None,
        }
    }

    /// The object, if it is not a Secret.
    #[must_use]
    pub fn object(&self) -> Option<&DynamicObject> {
        match self {
            Self::Secret(_) => None,
            Self::Object(object) => Some(object.object()),
        }
    }

    /// Whether it is as it was last written, as far as its policy asks for that.
    #[must_use]
    pub fn state(&self, policy: CreationPolicy, last: Option<&LastWrite>) -> TargetState {
        match self {
            Self::Secret(secret) => plan::target_state(policy, Some(secret.object())),
            Self::Object(object) => plan::object_state(policy, Some(object.object()), last),
        }
    }

    /// Whether it has the content that was last written.
    #[must_use]
    pub fn is_intact(&self, last: Option<&LastWrite>) -> bool {
        match self {
            Self::Secret(secret) => plan::is_intact(secret.object()),
            Self::Object(object) => crate::sync::object::is_intact(object.object(), last),
        }
    }
}

/// Reads the target Secret in full.
///
/// # Errors
/// [`Error::Api`]
pub async fn secret(owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Option<TargetSecret>, Error> {
    match cluster.target_secret(&ObjectKey::new(owner.namespace(), owner.target_name())).await {
        Ok(secret) => Ok(secret.map(TargetSecret::new)),
        Err(error) => Err(Error::Api { verb: "read", target: owner.target(), error }),
    }
}
