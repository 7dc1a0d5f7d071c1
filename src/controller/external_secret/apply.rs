//! What a sync writes: the Secret, and ESO's finalizer away.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use super::{Error, ObjectVersion, Subject, fetch};
use crate::api::FINALIZER_EXTERNAL_SECRET;
use crate::api::v1::external_secret::DeletionPolicy;
use crate::controller::context::{ApiError, Context, bounded};
use crate::sync::hash;
use crate::sync::plan::{Deletion, Plan};
use crate::sync::target::{Owner, is_external_secret};

/// How a write ended that the API server did not refuse for good.
pub enum Written {
    /// As planned. The version is that of the Secret after it, where something was written.
    Done(Option<ObjectVersion>),
    /// The Secret is not as it was when the plan was made.
    Conflict,
}

/// Carries a plan out, as the field manager and with the operation (`Update`) that ESO uses, so that
/// each finds what the other wrote among its own fields.
pub(super) async fn execute(plan: Plan, owner: Owner<'_>, context: &Context) -> Result<Written, Error> {
    let api = context.secrets(owner.namespace());
    let params = PostParams { dry_run: false, field_manager: Some(hash::field_manager(owner.name())) };
    let (verb, result) = match &plan {
        Plan::Unchanged | Plan::Deleted | Plan::Retained | Plan::Missing | Plan::NotWritten => {
            return Ok(Written::Done(None));
        }
        Plan::Delete(deletion) => return delete(deletion, owner, context).await,
        Plan::Create(secret) => ("create", bounded(api.create(&params, secret.object())).await),
        Plan::Update(secret) => ("update", bounded(api.replace(owner.target_name(), &params, secret.object())).await),
    };
    match result {
        Ok(mut written) => {
            crate::sync::target::wipe(&mut written);
            Ok(Written::Done(Some(ObjectVersion::of(&written.metadata))))
        }
        // 409: it exists already, or has another version by now; 404: it was deleted meanwhile.
        Err(error) if matches!((verb, error.code()), (_, Some(409)) | ("update", Some(404))) => Ok(Written::Conflict),
        Err(error) => Err(Error::Api { verb, secret: owner.target_name().to_owned(), error }),
    }
}

/// Deletes a Secret if it is still as it was when that was decided.
async fn delete(deletion: &Deletion, owner: Owner<'_>, context: &Context) -> Result<Written, Error> {
    let version = Preconditions { uid: deletion.uid.clone(), resource_version: deletion.resource_version.clone() };
    let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
    match bounded(context.secrets(owner.namespace()).delete(&deletion.name, &params)).await {
        Ok(_) => Ok(Written::Done(None)),
        Err(error) if error.code() == Some(404) => Ok(Written::Done(None)),
        Err(error) if error.code() == Some(409) => Ok(Written::Conflict),
        Err(error) => Err(Error::Api { verb: "delete", secret: deletion.name.clone(), error }),
    }
}

/// Deletes the Secrets of earlier target names.
pub(super) async fn delete_stale(owner: Owner<'_>, subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    for deletion in fetch::stale(owner, subject.status, context).await? {
        delete(&deletion, owner, context).await?;
    }
    Ok(())
}

/// Does for an object that is being deleted what ESO's finalizer was put there for, and removes it.
/// Without one there is nothing to do: the garbage collector deletes what the object owns.
pub(super) async fn finalize(subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    let meta = &subject.object.metadata;
    let finalizers = meta.finalizers.as_deref().unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER_EXTERNAL_SECRET) {
        return Ok(());
    }
    if let Ok(spec) = subject.object.spec.get() {
        let policy = spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default();
        if policy == DeletionPolicy::Delete {
            delete_owned(Owner { meta, spec, version: context.state.version }, context).await?;
        }
    }
    let remaining: Vec<_> = finalizers.iter().filter(|finalizer| *finalizer != FINALIZER_EXTERNAL_SECRET).collect();
    // With the resourceVersion, so that a finalizer that was added meanwhile is not lost.
    let patch = json!({ "metadata": { "finalizers": remaining, "resourceVersion": meta.resource_version } });
    let api = context.external_secrets(&subject.key.namespace);
    match bounded(api.patch_metadata(&subject.key.name, &PatchParams::default(), &Patch::Merge(patch))).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(404) => Ok(()),
        Err(error) => Err(Error::Finalizer(error)),
    }
}

/// Deletes the target if, and only if, this very ExternalSecret controls it.
async fn delete_owned(owner: Owner<'_>, context: &Context) -> Result<(), Error> {
    let name = owner.target_name();
    let failed = |verb, error: ApiError| Error::Api { verb, secret: name.to_owned(), error };
    let api = context.secrets(owner.namespace());
    let secret = match bounded(api.get_metadata_opt(name)).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Ok(()),
        Err(error) => return Err(failed("read", error)),
    };
    let is_controlled = secret.metadata.owner_references.iter().flatten().any(|reference| {
        is_external_secret(reference)
            && reference.controller == Some(true)
            && Some(&reference.uid) == owner.meta.uid.as_ref()
    });
    if !is_controlled {
        return Ok(());
    }
    let version = Preconditions { uid: secret.metadata.uid, resource_version: secret.metadata.resource_version };
    let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
    match bounded(api.delete(name, &params)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(404) => Ok(()),
        Err(error) => Err(failed("delete", error)),
    }
}
