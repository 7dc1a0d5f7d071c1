//! What to do with a target that is not a Secret.

use kube::core::DynamicObject;

use super::{Plan, Present, Refusal, is_valid_key, may_own, without_content};
use crate::api::v1::external_secret::ManifestReference;
use crate::sync::SecretData;
use crate::sync::last_write::LastWrite;
use crate::sync::object::{self, Fault};
use crate::sync::rendered::Rendered;
use crate::sync::target::{self, Content, Owner};

/// Decides what to do so that the target of `owner`, an object of the kind that `manifest` names, holds `values`, or
/// what a template made of them, according to its policies. `last` is the last write.
///
/// # Errors
/// [`Refusal`], if the existing object may not be written or deleted, or cannot hold them.
pub fn build_object(
    owner: Owner<'_>,
    manifest: &ManifestReference,
    values: &SecretData,
    rendered: Option<&Rendered>,
    existing: Option<&DynamicObject>,
    last: Option<&LastWrite>,
) -> Result<Plan, Refusal> {
    if let Some(plan) = without_content(owner, values, existing.map(Present::from))? {
        return Ok(plan);
    }
    let content = rendered.map_or(Content::Values(values), Content::Rendered);
    if manifest.kind == "ConfigMap"
        && let Some(key) = content.data().keys().find(|key| !is_valid_key(key))
    {
        return Err(Refusal::InvalidKey { kind: manifest.kind.clone(), key: key.clone() });
    }
    if let Some(existing) = existing {
        may_own(owner, existing.into())?;
    }
    let desired = object::desired(owner, manifest, content, existing).map_err(|fault| refusal(owner, fault))?;
    let Some(existing) = existing else { return Ok(Plan::CreateObject(Box::new(desired))) };
    if object::is_as_desired(existing, desired.object(), last) {
        return Ok(Plan::Unchanged);
    }
    Ok(Plan::UpdateObject(Box::new(desired)))
}

/// Decides what to do with a target whose content stays as it is: see [`minting`](crate::sync::minting).
///
/// # Errors
/// [`Refusal`], if the object may not be written.
pub fn leave_object(owner: Owner<'_>, existing: &DynamicObject) -> Result<Plan, Refusal> {
    may_own(owner, existing.into())?;
    let left = object::left(owner, existing);
    let is_left = target::has_metadata_as(&existing.metadata, &left.object().metadata);
    Ok(if is_left { Plan::Unchanged } else { Plan::UpdateObject(Box::new(left)) })
}

fn refusal(owner: Owner<'_>, fault: Fault) -> Refusal {
    let target = owner.target();
    match fault {
        Fault::NotText { key } => Refusal::NotText { target, key },
        Fault::Obstacle(object::Obstacle { path, found, wanted }) => Refusal::NoPlace { target, path, found, wanted },
        Fault::Filling { path } => Refusal::TooMuchFilling { target, path },
    }
}

#[cfg(test)]
mod tests;
