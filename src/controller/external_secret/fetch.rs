//! What a sync reads: the target Secret, and the values.

use futures::future::join_all;
use kube::runtime::reflector::ObjectRef;

use super::store_access::{Clients, Source};
use super::{Error, ObjectVersion, Subject};
use crate::api::v1::ExternalSecretSpec;
use crate::controller::context::{Context, bounded};
use crate::controller::key::ObjectKey;
use crate::provider::ReadOptions;
use crate::sync::SecretData;
use crate::sync::plan::{self, TargetSecret};
use crate::sync::refresh::TargetState;
use crate::sync::target::{Owner, target_name};

/// What is known of the target Secret.
pub enum Target {
    /// It is at the version that was last verified; its content was not read.
    Verified,
    /// It was never synced and the watch does not know it, so it is taken to be absent; creating it
    /// shows whether that is true, and saves a read.
    Assumed,
    /// It is not there.
    Absent,
    /// It is there, at a version that was not verified before.
    Read(Box<TargetSecret>),
}

impl Target {
    /// Whether it is as it was last written.
    #[must_use]
    pub fn state(&self) -> TargetState {
        match self {
            Self::Verified => TargetState::Intact,
            Self::Read(secret) if plan::is_intact(secret.object()) => TargetState::Intact,
            Self::Read(_) | Self::Assumed | Self::Absent => TargetState::Changed,
        }
    }

    /// The Secret with its content, read now where that was not needed before.
    pub(super) async fn existing(self, owner: Owner<'_>, context: &Context) -> Result<Option<TargetSecret>, Error> {
        match self {
            Self::Verified => secret(owner, context).await,
            Self::Assumed | Self::Absent => Ok(None),
            Self::Read(secret) => Ok(Some(*secret)),
        }
    }
}

/// Looks at the target. It is read in full only when its version is not the last that was verified.
pub(super) async fn target(
    subject: Subject<'_>,
    spec: &ExternalSecretSpec,
    context: &Context,
) -> Result<Target, Error> {
    let key = ObjectKey::new(&subject.key.namespace, target_name(&subject.object.metadata, spec));
    let watched = context.watched.secrets.get(&ObjectRef::new(&key.name).within(&key.namespace));
    let watched = watched.map(|secret| ObjectVersion::of(&secret.metadata));
    let verified = context.state.memos().get(subject.key).and_then(|memo| memo.verified.clone());
    if watched.is_some() && watched == verified {
        return Ok(Target::Verified);
    }
    let was_synced = subject.status.is_some_and(|status| status.synced_resource_version.is_some());
    if watched.is_none() && verified.is_none() && !was_synced {
        return Ok(Target::Assumed);
    }
    let owner = Owner { meta: &subject.object.metadata, spec, version: context.state.version };
    let Some(secret) = secret(owner, context).await? else { return Ok(Target::Absent) };
    if plan::is_intact(secret.object()) {
        let version = ObjectVersion::of(&secret.object().metadata);
        context.state.memos().entry(subject.key.clone()).or_default().verified = Some(version);
    }
    Ok(Target::Read(Box::new(secret)))
}

/// Reads the target Secret in full.
pub(super) async fn secret(owner: Owner<'_>, context: &Context) -> Result<Option<TargetSecret>, Error> {
    let name = owner.target_name();
    match bounded(context.secrets(owner.namespace()).get_opt(name)).await {
        Ok(secret) => Ok(secret.map(TargetSecret::new)),
        Err(error) => Err(Error::Api { verb: "read", secret: name.to_owned(), error }),
    }
}

/// Reads all values, in parallel. Of several failures the first in the order of the manifest is
/// reported, so that the condition does not change from try to try.
pub(super) async fn values(
    spec: &ExternalSecretSpec,
    clients: &Clients,
    options: ReadOptions,
) -> Result<SecretData, Error> {
    let sources = spec.data.iter().zip(clients.data());
    let reads = sources.enumerate().map(|(index, (entry, Source { store, client }))| async move {
        let value = client.get_secret(&entry.remote_ref, options).await.map_err(|error| Error::Provider {
            entry: format!("spec.data[{index}] ({:?})", entry.secret_key),
            store: store.clone(),
            error: Box::new(error),
        })?;
        Ok((entry.secret_key.clone(), value.value))
    });
    join_all(reads).await.into_iter().collect()
}
