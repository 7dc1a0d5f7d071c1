//! Names of a cluster, as far as they can be had while somebody types.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::ListParams;
use kube::config::Kubeconfig;

use super::words::{Of, Target};
use crate::answers::Objects;
use crate::cli::person::{Cluster, served_version};
use crate::controller::core::api_call::ApiError;
use crate::runtime::kube_client::{self, Person};

/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The names; none where they cannot be had in time.
pub(super) async fn names(of: Of, target: &Target) -> Vec<String> {
    if of == Of::Contexts {
        return contexts(target);
    }
    let names = tokio::time::timeout(PATIENCE, in_cluster(of, target)).await;
    names.ok().flatten().unwrap_or_default()
}

fn contexts(target: &Target) -> Vec<String> {
    let kubeconfig = match &target.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    kubeconfig
        .map(|kubeconfig| kubeconfig.contexts.into_iter().map(|context| context.name).collect())
        .unwrap_or_default()
}

async fn in_cluster(of: Of, target: &Target) -> Option<Vec<String>> {
    let person = Person {
        kubeconfig: target.kubeconfig.as_deref().map(Path::new),
        context: target.context.as_deref(),
        ..Person::default()
    };
    let (client, config) = kube_client::of_person(person).await.ok()?;
    let Of::Objects(kinds) = of else { return namespaces(client).await.ok() };
    let namespace = target.namespace.clone().unwrap_or(config.default_namespace);
    let version = served_version(&client).await.ok()??;
    let cluster = Cluster { client, version };
    let names = kinds.into_iter().map(|(kind, begin)| {
        let (cluster, namespace) = (&cluster, namespace.as_str());
        async move {
            // A kind may not be served, or not be the person's to read.
            let names = cluster.names(kind, namespace).await.unwrap_or_default();
            names.into_iter().map(|name| format!("{begin}{name}")).collect::<Vec<_>>()
        }
    });
    let mut names = join_all(names).await.concat();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

async fn namespaces(client: Client) -> Result<Vec<String>, ApiError> {
    let api: Objects<Namespace> = Objects::all(client, &());
    let listed = api.list_metadata(&ListParams::default()).await?;
    Ok(listed.into_iter().filter_map(|namespace| namespace.metadata.name).collect())
}
