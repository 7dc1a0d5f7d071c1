//! What to do with the target Secret.

use k8s_openapi::api::core::v1::Secret;

use super::target::{self, Owner};
use super::{SecretData, hash};
use crate::api::{ANNOTATION_DATA_HASH, LABEL_MANAGED, LABEL_MANAGED_VALUE};

/// What to do with the target Secret. `Debug` prints no values.
pub enum Plan {
    /// It is not there: create it.
    Create(Box<TargetSecret>),
    /// It is there and differs: replace it, at the version that was read.
    Update(Box<TargetSecret>),
    /// It is as it should be.
    Unchanged,
}

/// Why a target Secret may not be written. Only a change of a manifest or of the Secret can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another ExternalSecret owns it.
    #[error(
        "Secret {secret:?} belongs to ExternalSecret {owner:?}; give spec.target.name another name, or delete that ExternalSecret"
    )]
    OwnedByExternalSecret {
        /// The Secret.
        secret: String,
        /// The other ExternalSecret.
        owner: String,
    },
    /// An object of another kind controls it.
    #[error("Secret {secret:?} is controlled by {kind} {owner:?}; give spec.target.name another name")]
    OwnedByOther {
        /// The Secret.
        secret: String,
        /// The kind of its controller.
        kind: String,
        /// The name of its controller.
        owner: String,
    },
    /// It is immutable and its data would change.
    #[error("Secret {secret:?} is immutable, so its new values cannot be written; delete it, and it is made again")]
    Immutable {
        /// The Secret.
        secret: String,
    },
    /// A key cannot be a key of a Secret.
    #[error(
        "{key:?} cannot be a key of a Secret: keys have letters, digits, '-', '_' and '.', and at most 253 characters"
    )]
    InvalidKey {
        /// The key.
        key: String,
    },
}

/// A Secret that is about to be written; its values are overwritten when it is dropped.
pub struct TargetSecret(Secret);

impl TargetSecret {
    /// Takes charge of a Secret that was read.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The object.
    #[must_use]
    pub fn object(&self) -> &Secret {
        &self.0
    }
}

impl Drop for TargetSecret {
    fn drop(&mut self) {
        target::wipe(&mut self.0);
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "Create",
            Self::Update(_) => "Update",
            Self::Unchanged => "Unchanged",
        })
    }
}

/// Works out what to do so that the target of `owner` holds exactly `data`.
///
/// # Errors
/// [`Refusal`], where the Secret that is there may not be written.
pub fn build(owner: Owner<'_>, data: &SecretData, existing: Option<&Secret>) -> Result<Plan, Refusal> {
    if let Some(key) = data.keys().find(|key| !is_valid_key(key)) {
        return Err(Refusal::InvalidKey { key: key.clone() });
    }
    let Some(existing) = existing else {
        return Ok(Plan::Create(Box::new(TargetSecret(target::desired(owner, data, None)))));
    };
    may_own(owner, existing)?;
    let desired = TargetSecret(target::desired(owner, data, Some(existing)));
    if target::is_as_desired(existing, &desired.0) {
        return Ok(Plan::Unchanged);
    }
    if existing.immutable == Some(true)
        && existing.data.clone().unwrap_or_default() != desired.0.data.clone().unwrap_or_default()
    {
        return Err(Refusal::Immutable { secret: owner.target_name().to_owned() });
    }
    Ok(Plan::Update(Box::new(desired)))
}

/// Whether `owner` may become, or is, the controller of `existing`. Like ESO it goes by the name, not
/// by the UID: an ExternalSecret that was made anew takes its Secret over.
fn may_own(owner: Owner<'_>, existing: &Secret) -> Result<(), Refusal> {
    let controller = existing.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    let secret = || owner.target_name().to_owned();
    match controller {
        None => Ok(()),
        Some(other) if target::is_external_secret(other) && other.name == owner.name() => Ok(()),
        Some(other) if target::is_external_secret(other) => {
            Err(Refusal::OwnedByExternalSecret { secret: secret(), owner: other.name.clone() })
        }
        Some(other) => {
            Err(Refusal::OwnedByOther { secret: secret(), kind: other.kind.clone(), owner: other.name.clone() })
        }
    }
}

/// Whether a Secret still has the content that was last written, as its hash says.
#[must_use]
pub fn is_intact(secret: &Secret) -> bool {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
    let label = secret.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_MANAGED));
    let hash = secret.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_DATA_HASH));
    label.is_some_and(|value| value == LABEL_MANAGED_VALUE) && hash.is_some_and(|hash| *hash == hash::data_hash(data))
}

/// Kubernetes' rule for keys of Secrets and ConfigMaps.
fn is_valid_key(key: &str) -> bool {
    (1..=253).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && key != "."
        && key != ".."
        && !key.starts_with("..")
}
