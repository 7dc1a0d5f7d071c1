//! Checks whether the webhook rejects what it must, and how long its certificate is valid.

use std::time::Instant;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::answers::Objects;
use crate::api::v1::ExternalSecret;
use crate::cli::person::Cluster;
use crate::controller::core::api_call::bounded;

const ANSWERS: Check = Check::new("webhook", "webhook-answers");
const CERTIFICATE: Check = Check::new("webhook", "webhook-certificate");

/// The configuration for ExternalSecrets, named as in ESO.
const CONFIGURATION: &str = "externalsecret-validate";
/// The name of the object that is never stored.
const NAME: &str = "external-secrets-doctor";
/// How long before its expiry a certificate should have been replaced.
const SOON_DAYS: i64 = 7;

const PAGE: &str = "docs/runbook.md#externalsecretswebhookfails";

pub(super) async fn look(patient: &Patient<'_>, cluster: &Cluster) -> Vec<Finding> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
    ));
    let api: Objects<DynamicObject> = Objects::all(patient.client.clone(), &resource);
    let configuration = match bounded(api.get_opt(CONFIGURATION)).await {
        Ok(Some(configuration)) => configuration,
        Ok(None) => {
            return vec![
                ANSWERS.not_looked_at("no webhook is installed; mistakes appear as conditions of the applied objects"),
            ];
        }
        Err(error) => return vec![ANSWERS.skipped("webhook configurations", &error)],
    };
    let mut findings = vec![answers(patient, cluster).await];
    findings.extend(certificate(patient, &configuration.data));
    findings
}

/// Creates, as a dry run, an object that only the webhook rejects. The rejection shows that the webhook was called:
/// under the failure policy `Ignore`, everything passes if it is missing.
async fn answers(patient: &Patient<'_>, cluster: &Cluster) -> Finding {
    let entry = || json!({"secretKey": "twice", "remoteRef": {"key": "a"}});
    let api_version = cluster.version.api_version();
    let object = json!({
        "apiVersion": api_version, "kind": ExternalSecret::KIND, "metadata": {"name": NAME},
        "spec": {"secretStoreRef": {"name": NAME}, "data": [entry(), entry()]},
    });
    let Ok(object) = serde_json::from_value::<DynamicObject>(object) else {
        return ANSWERS.not_looked_at("nothing to ask it");
    };
    let resource = ApiResource::erase::<ExternalSecret>(&cluster.version);
    let namespace = patient.namespace.unwrap_or("default");
    let api: Objects<DynamicObject> = Objects::namespaced(cluster.client.clone(), namespace, &resource);
    let began = Instant::now();
    let created = bounded(api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object)).await;
    let took = began.elapsed().as_millis();
    match created {
        Ok(_) => ANSWERS.failed(
            "the API server accepts what the webhook must reject: it does not call the webhook",
            "See whether the webhook's pods are ready, and the `failurePolicy` of its configuration.",
            PAGE,
        ),
        Err(error) => {
            let reason = error.reason();
            if reason.contains("denied the request") {
                ANSWERS.ok(format!("it rejects what it must, in {took} ms"))
            } else if error.code() == Some(403) {
                ANSWERS
                    .not_looked_at(&format!("no right to create an ExternalSecret in {namespace}, even as a dry run"))
            } else {
                ANSWERS.failed(
                    format!("it cannot be called: {reason}"),
                    "See whether the webhook's pods are ready, its Service, and the certificate.",
                    PAGE,
                )
            }
        }
    }
}

/// When the certificate authority expires by which the API server verifies the webhook.
fn certificate(patient: &Patient<'_>, configuration: &Value) -> Option<Finding> {
    use base64::Engine as _;
    let bundle = configuration["webhooks"].as_array()?.first()?["clientConfig"]["caBundle"].as_str()?;
    let pem = base64::engine::general_purpose::STANDARD.decode(bundle).ok()?;
    let ends = x509_parser::pem::Pem::iter_from_buffer(&pem)
        .flatten()
        .filter_map(|pem| Some(pem.parse_x509().ok()?.validity().not_after.timestamp()))
        .max();
    let Some(ends) = ends else {
        return Some(CERTIFICATE.failed(
            "its configuration has no certificate that the API server could trust",
            "See the log of the cert-controller, which writes it.",
            PAGE,
        ));
    };
    let days = (ends - patient.now.as_second()) / 86_400;
    Some(if days < SOON_DAYS {
        CERTIFICATE.failed(
            format!("the certificate that the API server trusts ends in {days} days"),
            "See the log of the cert-controller, which should have replaced it.",
            PAGE,
        )
    } else {
        CERTIFICATE.ok(format!("the certificate that the API server trusts ends in {days} days"))
    })
}
