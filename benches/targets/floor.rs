//! What the API server alone needs for the writes of a first sync: a Secret, a status and an event per ExternalSecret,
//! written by 32 plain HTTP/2 workers.

use std::time::{Duration, Instant};

use futures::{TryStreamExt, stream};
use kube::config::Kubeconfig;
use reqwest::{Certificate, Client, Method};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::error::Error;
use crate::stage::{NAMESPACE, Stage, namespace, template};

const WORKERS: usize = 32;

/// Writes for the ExternalSecrets `e0` to `e<count - 1>`, which must exist, and returns the time taken.
pub(crate) async fn measure(stage: &Stage, count: usize) -> Result<Duration, Error> {
    let api = Plain::of(stage)?;
    let started = Instant::now();
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(WORKERS, |n| {
            let api = &api;
            async move {
                let name = format!("e{n}");
                api.send(Method::POST, "/api/v1/namespaces/default/secrets", &secret(&name)).await?;
                let path = format!("/apis/external-secrets.io/v1/namespaces/default/externalsecrets/{name}/status");
                api.send(Method::PATCH, &path, &status()).await?;
                api.send(Method::POST, "/api/v1/namespaces/default/events", &event(&name)).await
            }
        })
        .await?;
    Ok(started.elapsed())
}

/// The same with an ExternalSecret in each namespace of [`Stage::create_namespaces`]; creates those ExternalSecrets
/// too.
pub(crate) async fn measure_in_namespaces(stage: &Stage, count: usize) -> Result<Duration, Error> {
    let api = Plain::of(stage)?;
    let started = Instant::now();
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(WORKERS, |n| {
            let api = &api;
            async move {
                let place = namespace(n);
                let group = format!("/apis/external-secrets.io/v1/namespaces/{place}/externalsecrets");
                let within = |mut object: Value| {
                    object["metadata"]["namespace"] = place.as_str().into();
                    object
                };
                api.send(Method::POST, &group, &within(external_secret("e0"))).await?;
                let secrets = format!("/api/v1/namespaces/{place}/secrets");
                api.send(Method::POST, &secrets, &within(secret("e0"))).await?;
                api.send(Method::PATCH, &format!("{group}/e0/status"), &status()).await?;
                let mut event = within(event("e0"));
                event["involvedObject"]["namespace"] = place.as_str().into();
                api.send(Method::POST, &format!("/api/v1/namespaces/{place}/events"), &event).await
            }
        })
        .await?;
    Ok(started.elapsed())
}

/// A client that only sends.
struct Plain {
    client: Client,
    url: String,
    token: String,
}

impl Plain {
    fn of(stage: &Stage) -> Result<Self, Error> {
        let certificate = Certificate::from_pem(&std::fs::read(stage.cluster.ca_certificate())?)?;
        let client = Client::builder().no_proxy().tls_certs_only([certificate]).build()?;
        let kubeconfig = Kubeconfig::read_from(stage.cluster.kubeconfig())?;
        let user = kubeconfig.auth_infos.into_iter().next().and_then(|user| user.auth_info);
        let token = user.and_then(|user| user.token).map(|token| token.expose_secret().to_owned()).unwrap_or_default();
        Ok(Self { client, url: stage.cluster.url(), token })
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(), Error> {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.token).header("content-type", kind).body(body.to_string());
        let answer = request.send().await?;
        let status = answer.status();
        answer.bytes().await?;
        if status.is_success() { Ok(()) } else { Err(Error::Status(status)) }
    }
}

fn external_secret(name: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name, "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
            "name": name, "uid": "00000000-0000-0000-0000-000000000000", "controller": true, "blockOwnerDeletion": true}]},
        "spec": template("s0", "1h0m0s"),
    })
}

fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": name, "namespace": NAMESPACE,
            "labels": {"reconcile.external-secrets.io/managed": "true", "reconcile.external-secrets.io/created-by": "x".repeat(56)},
            "annotations": {"reconcile.external-secrets.io/data-hash": "x".repeat(56)},
            "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name,
                "uid": "00000000-0000-0000-0000-000000000000", "controller": true, "blockOwnerDeletion": true}],
        },
        "data": {"k0": "dmFsdWU="},
    })
}

fn status() -> Value {
    let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string();
    json!({"status": {
        "refreshTime": now, "syncedResourceVersion": format!("1-{}", "x".repeat(56)), "binding": {"name": "x"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced", "lastTransitionTime": now}],
    }})
}

fn event(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": format!("{name}."), "namespace": NAMESPACE},
        "involvedObject": {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name, "namespace": NAMESPACE},
        "reason": "Created", "message": "secret created", "type": "Normal",
        "source": {"component": "external-secrets"}, "reportingComponent": "external-secrets",
    })
}
