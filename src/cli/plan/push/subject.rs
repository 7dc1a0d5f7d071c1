//! The PushSecrets of a plan: those of the cluster as they are, those of manifests as they would be after they are applied.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1alpha1::PushSecret;
use crate::cli::inputs::Inputs;
use crate::cli::inputs::cluster::Cluster;
use crate::cli::plan::error::Error;
use crate::cli::plan::subject::{FORCE_SYNC, Which, merged_metadata};
use crate::controller::core::key::ObjectKey;

/// The PushSecrets of the plan, by namespace and name. Of requested names, only those that exist.
pub(in crate::cli::plan) async fn subjects(
    which: &Which<'_>,
    inputs: &Inputs,
    cluster: &Cluster,
) -> Result<Vec<PushSecret>, Error> {
    let mut objects =
        if which.is_given { given(which, inputs, cluster).await? } else { present(which, cluster).await? };
    objects.sort_by_key(|object| ObjectKey::of(&object.metadata));
    if which.is_forced {
        for object in &mut objects {
            object.metadata.annotations.get_or_insert_default().insert(FORCE_SYNC.to_owned(), "planned".to_owned());
        }
    }
    Ok(objects)
}

/// Those of the cluster; none if the caller may not read them.
async fn present(which: &Which<'_>, cluster: &Cluster) -> Result<Vec<PushSecret>, Error> {
    if which.names.is_empty() {
        return match cluster.push_secrets(which.namespace, which.selector).await {
            Err(error) if error.code() == Some(403) => {
                left_out(&error.reason());
                Ok(Vec::new())
            }
            listed => listed.map_err(Error::Cluster),
        };
    }
    let mut objects = Vec::new();
    let names: BTreeSet<&String> = which.names.iter().collect();
    for name in names {
        let key = ObjectKey::new(which.namespace.unwrap_or_default(), name);
        match cluster.push_secret(&key).await {
            Err(error) if error.code() == Some(403) => left_out(&error.reason()),
            found => objects.extend(found.map_err(Error::Cluster)?),
        }
    }
    Ok(objects)
}

#[allow(clippy::print_stderr, reason = "a message for the person who runs the command")]
fn left_out(reason: &str) {
    eprintln!("external-secrets: PushSecrets are left out: {reason}");
}

/// Those of the manifests, as they would be after they are applied.
async fn given(which: &Which<'_>, inputs: &Inputs, cluster: &Cluster) -> Result<Vec<PushSecret>, Error> {
    let is_wanted = |object: &&PushSecret| {
        which.names.is_empty() || object.metadata.name.as_ref().is_some_and(|name| which.names.contains(name))
    };
    let mut objects = Vec::new();
    for object in inputs.manifests.push_secrets.iter().filter(is_wanted) {
        let live = cluster.push_secret(&ObjectKey::of(&object.metadata)).await.map_err(Error::Cluster)?;
        objects.push(applied(object, live));
    }
    Ok(objects)
}

/// A manifest as it would be after it is applied. A new one counts as younger than all existing ones.
pub(super) fn applied(given: &PushSecret, live: Option<PushSecret>) -> PushSecret {
    let Some(live) = live else {
        let mut object = PushSecret { status: None, ..given.clone() };
        object.metadata.creation_timestamp = Some(Time(Timestamp::now()));
        return object;
    };
    let spec = |object: &PushSecret| object.spec.get().ok().and_then(|spec| serde_json::to_value(spec).ok());
    let same_spec = spec(given).is_some() && spec(given) == spec(&live);
    let mut meta = merged_metadata(&given.metadata, live.metadata);
    if !same_spec {
        meta.generation = meta.generation.map(|generation| generation + 1);
    }
    PushSecret { metadata: meta, spec: given.spec.clone(), status: live.status, written: live.written }
}
