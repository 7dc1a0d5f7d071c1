//! Carries out what a sync decided: writes the target and the finalizer.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::DynamicObject;
use serde_json::json;

use super::context::Context;
use super::destination::Destination;
use super::error::Error;
use super::kind_discovery::{KindError, TargetKind};
use super::subject::Subject;
use super::target::stale;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{CreationPolicy, DeletionPolicy, ManifestReference};
use crate::api::{FINALIZER_EXTERNAL_SECRET, LABEL_OWNER};
use crate::controller::core::api_call::{ApiError, Verb, bounded};
use crate::controller::core::finalizer;
use crate::controller::core::key::ObjectVersion;
use crate::controller::options::GenericTargets;
use crate::sync::last_write::LastWrite;
use crate::sync::object::{self, TargetObject, is_written_by};
use crate::sync::plan::{self, Deletion, Plan};
use crate::sync::target::{Owner, is_external_secret};
use crate::sync::{hash, target};

/// The result of a write that the API server did not reject for good.
pub(crate) enum Written {
    /// Nothing had to be written, or the target was deleted.
    Nothing,
    /// Written as planned; the target has this version now.
    Target(ObjectVersion),
    /// The same for a target that is not a Secret.
    Object(ObjectVersion, LastWrite),
    /// The target has changed since the plan was made.
    Conflict,
}

/// Carries out a plan with ESO's field manager and operation (`Update`), so that either controller finds what the other
/// wrote among its own fields.
pub(super) async fn execute(
    plan: &Plan,
    owner: Owner<'_>,
    destination: &Destination,
    context: &Context,
) -> Result<Written, Error> {
    let api = context.secrets(owner.namespace());
    let params = PostParams { dry_run: false, field_manager: Some(hash::field_manager(owner.name())) };
    let (verb, result) = match plan {
        Plan::Unchanged | Plan::Deleted | Plan::Retained | Plan::Missing | Plan::NotWritten => {
            return Ok(Written::Nothing);
        }
        Plan::Delete(deletion) => return delete(deletion, owner, destination, context).await,
        Plan::CreateObject(wanted) => {
            let Destination::Object(kind) = destination else { return Ok(Written::Conflict) };
            let api = kind.api(&context.client, owner.namespace());
            let stored = bounded(api.create(&params, wanted.object())).await;
            return written_object(Verb::Create, wanted, stored, owner, kind, context);
        }
        Plan::UpdateObject(wanted) => {
            let Destination::Object(kind) = destination else { return Ok(Written::Conflict) };
            let api = kind.api(&context.client, owner.namespace());
            let stored = bounded(api.replace(owner.target_name(), &params, wanted.object())).await;
            return written_object(Verb::Update, wanted, stored, owner, kind, context);
        }
        Plan::Create(secret) => (Verb::Create, bounded(api.create(&params, secret.object())).await),
        Plan::Update(secret) => {
            (Verb::Update, bounded(api.replace(owner.target_name(), &params, secret.object())).await)
        }
    };
    match result {
        Ok(mut written) => {
            target::wipe(&mut written);
            Ok(Written::Target(ObjectVersion::of(&written.metadata)))
        }
        Err(error) if is_conflict(verb, &error) => Ok(Written::Conflict),
        Err(error) => Err(Error::Api { verb, target: owner.target(), error }),
    }
}

/// 409: the object exists already, or its version has changed; 404: it was deleted meanwhile.
fn is_conflict(verb: Verb, error: &ApiError) -> bool {
    matches!((verb, error.code()), (_, Some(409)) | (Verb::Update, Some(404)))
}

/// The result of writing a target that is not a Secret.
fn written_object(
    verb: Verb,
    wanted: &TargetObject,
    stored: Result<DynamicObject, ApiError>,
    owner: Owner<'_>,
    kind: &TargetKind,
    context: &Context,
) -> Result<Written, Error> {
    match stored.map(TargetObject::new) {
        Ok(stored) => {
            let version = ObjectVersion::of(&stored.object().metadata);
            Ok(Written::Object(version, object::last_write(wanted, &stored)))
        }
        Err(error) if is_conflict(verb, &error) => Ok(Written::Conflict),
        Err(error) => {
            if error.code() == Some(404) {
                // The kind is gone. The next attempt asks the API server for it again.
                context.target_kinds.forget(&kind.manifest);
            }
            Err(Error::object(verb, owner, kind, &error))
        }
    }
}

/// Deletes an object if it has not changed since that was decided.
async fn delete(
    deletion: &Deletion,
    owner: Owner<'_>,
    destination: &Destination,
    context: &Context,
) -> Result<Written, Error> {
    let version = Preconditions { uid: deletion.uid.clone(), resource_version: deletion.resource_version.clone() };
    let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
    let result = match destination {
        Destination::Secret => bounded(context.secrets(owner.namespace()).delete(&deletion.name, &params)).await,
        Destination::Object(kind) => {
            let api = kind.api(&context.client, owner.namespace());
            bounded(api.delete(&deletion.name, &params)).await
        }
    };
    match (result, destination) {
        (Ok(()), _) => Ok(Written::Nothing),
        (Err(error), _) if error.code() == Some(404) => Ok(Written::Nothing),
        (Err(error), _) if error.code() == Some(409) => Ok(Written::Conflict),
        (Err(error), Destination::Secret) => Err(Error::Api { verb: Verb::Delete, target: owner.target(), error }),
        (Err(error), Destination::Object(kind)) => Err(Error::object(Verb::Delete, owner, kind, &error)),
    }
}

/// Deletes the Secrets of earlier target names.
pub(super) async fn delete_stale(owner: Owner<'_>, subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    for deletion in stale(owner, subject.status, context).await? {
        delete(&deletion, owner, &Destination::Secret, context).await?;
    }
    Ok(())
}

/// Deletes targets of earlier names that are not Secrets: of the current kind and of the previous one.
pub(super) async fn delete_stale_objects(
    owner: Owner<'_>,
    previous: Option<&ManifestReference>,
    context: &Context,
) -> Result<(), Error> {
    let previous = previous.filter(|previous| owner.manifest() != Some(*previous));
    let has_owner = owner.creation_policy() == CreationPolicy::Owner;
    for manifest in owner.manifest().into_iter().chain(previous).filter(|_| has_owner) {
        let kind = match context.target_kinds.get(manifest, owner.namespace()).await {
            Ok(kind) => kind,
            Err(KindError::Api { error, .. }) => return Err(Error::Stale(error)),
            Err(error @ (KindError::TooMany { .. } | KindError::NotListed { .. })) => return Err(error.into()),
            // No objects of that kind can exist.
            Err(KindError::NotServed(_) | KindError::ClusterScoped(_) | KindError::NotStored(_)) => continue,
        };
        let label = hash::owner_label(owner.namespace(), owner.name());
        let params = ListParams::default().labels(&format!("{LABEL_OWNER}={label}"));
        let api = kind.api(&context.client, owner.namespace());
        let found = bounded(api.list_metadata(&params)).await.map_err(Error::Stale)?;
        for deletion in plan::stale_objects(owner, manifest, found.iter().map(|object| &object.metadata)) {
            delete(&deletion, owner, &Destination::Object(Arc::clone(&kind)), context).await?;
        }
    }
    context.target_kinds.release(&context.state.index);
    Ok(())
}

/// Whether deleting the ExternalSecret must delete the target although the garbage collector will not, because the
/// target has no owner.
fn needs_finalizer(owner: Owner<'_>) -> bool {
    owner.manifest().is_some()
        && owner.deletion_policy() == DeletionPolicy::Delete
        && owner.creation_policy() == CreationPolicy::Orphan
}

/// Adds the finalizer, if needed, before the first write of something that it must clean up.
pub(super) async fn add_finalizer(owner: Owner<'_>, subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    if !needs_finalizer(owner) || finalizer::is_on(owner.meta, FINALIZER_EXTERNAL_SECRET) {
        return Ok(());
    }
    // Server-side apply keeps a finalizer that somebody else adds meanwhile.
    let patch = json!({
        "apiVersion": context.version.api_version(),
        "kind": ExternalSecret::KIND,
        // Without the UID, applying would recreate an ExternalSecret that was deleted meanwhile.
        "metadata": {
            "name": owner.name(),
            "namespace": owner.namespace(),
            "uid": owner.meta.uid,
            "finalizers": [FINALIZER_EXTERNAL_SECRET],
        },
    });
    let params = PatchParams::apply("external-secrets").force();
    let api = context.external_secrets(&subject.key.namespace);
    bounded(api.patch_metadata(&subject.key.name, &params, &Patch::Apply(patch))).await.map_err(Error::Finalizer)?;
    Ok(())
}

/// Does what ESO's finalizer is for and removes it from an object that is being deleted. Without the finalizer there is
/// nothing to do: the garbage collector deletes what the object owns.
pub(super) async fn finalize(subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    let meta = &subject.object.metadata;
    if !finalizer::is_on(meta, FINALIZER_EXTERNAL_SECRET) {
        return Ok(());
    }
    if let Ok(spec) = subject.object.spec.get() {
        let policy = spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default();
        if policy == DeletionPolicy::Delete {
            delete_owned(Owner::new(meta, spec, context.version), context).await?;
        }
    }
    let api = context.external_secrets(&subject.key.namespace);
    finalizer::remove(&api, meta, FINALIZER_EXTERNAL_SECRET).await.map_err(Error::Finalizer)
}

/// Deletes the target if this very ExternalSecret controls it, or wrote it without an owner.
async fn delete_owned(owner: Owner<'_>, context: &Context) -> Result<(), Error> {
    let name = owner.target_name();
    let destination = match owner.manifest() {
        None => Destination::Secret,
        // As in ESO, generic targets stay if generic targets are disabled.
        Some(_) if context.options.generic_targets == GenericTargets::Refused => return Ok(()),
        Some(manifest) => match context.target_kinds.get(manifest, owner.namespace()).await {
            Ok(kind) => Destination::Object(kind),
            Err(error @ (KindError::Api { .. } | KindError::NotListed { .. } | KindError::TooMany { .. })) => {
                return Err(error.into());
            }
            // No such object can exist.
            Err(KindError::NotServed(_) | KindError::ClusterScoped(_) | KindError::NotStored(_)) => return Ok(()),
        },
    };
    let found = match &destination {
        Destination::Secret => {
            let found = bounded(context.secrets(owner.namespace()).get_metadata_opt(name)).await;
            let found = found.map_err(|error| Error::Api { verb: Verb::Read, target: owner.target(), error })?;
            found.map(|object| object.metadata)
        }
        Destination::Object(kind) => object_metadata(kind, owner, context).await?,
    };
    let Some(meta) = found else { return Ok(()) };
    let mut controllers = meta.owner_references.iter().flatten().filter(|reference| reference.controller == Some(true));
    let is_to_go = match controllers.next() {
        Some(controller) => is_external_secret(controller) && Some(&controller.uid) == owner.meta.uid.as_ref(),
        None => needs_finalizer(owner) && is_written_by(&meta, owner),
    };
    if is_to_go && matches!(delete(&Deletion::of(&meta), owner, &destination, context).await?, Written::Conflict) {
        return Err(Error::Contended { target: owner.target() });
    }
    Ok(())
}

async fn object_metadata(kind: &TargetKind, owner: Owner<'_>, context: &Context) -> Result<Option<ObjectMeta>, Error> {
    let found = bounded(kind.api(&context.client, owner.namespace()).get_metadata_opt(owner.target_name())).await;
    Ok(found.map_err(|error| Error::object(Verb::Read, owner, kind, &error))?.map(|object| object.metadata))
}
