//! Writes the CA bundle and the Service's name where the API server looks for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What is injected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) service: &'a str,
    pub(super) namespace: &'a str,
    /// The authorities to trust, in PEM.
    pub(super) bundle: &'a [u8],
}

/// Into all our webhooks in a `ValidatingWebhookConfiguration`. As in ESO, other webhooks in it are not touched.
pub(super) fn into_webhooks(configuration: &mut Value, target: Target<'_>) {
    let webhooks = configuration.get_mut("webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten() {
        let is_ours = webhook["name"].as_str().is_some_and(|name| name.ends_with("external-secrets.io"));
        if is_ours {
            into_client(&mut webhook["clientConfig"], target);
        }
    }
}

/// Into the conversion webhook of a CRD, if it has one.
pub(super) fn into_conversion(definition: &mut Value, target: Target<'_>) {
    let Some(conversion) = definition.pointer_mut("/spec/conversion") else { return };
    if conversion["strategy"] == "Webhook" {
        into_client(&mut conversion["webhook"]["clientConfig"], target);
    }
}

/// A webhook with a URL instead of a Service gets only the bundle.
fn into_client(client: &mut Value, target: Target<'_>) {
    if client["url"].is_string() {
        client["caBundle"] = STANDARD.encode(target.bundle).into();
        return;
    }
    client["caBundle"] = STANDARD.encode(target.bundle).into();
    if !client["service"].is_object() {
        client["service"] = json!({});
    }
    client["service"]["name"] = target.service.into();
    client["service"]["namespace"] = target.namespace.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'static> = Target { service: "webhook", namespace: "operators", bundle: b"PEM" };

    #[test]
    fn our_webhooks_get_bundle_and_service_and_others_nothing() {
        let mut configuration = json!({"webhooks": [
            {"name": "validate.secretstore.external-secrets.io", "clientConfig": {"service": {"name": "old", "namespace": "old", "path": "/validate", "port": 443}}},
            {"name": "validate.other.io", "clientConfig": {"service": {"name": "old", "namespace": "old"}}},
        ]});
        into_webhooks(&mut configuration, TARGET);
        assert_eq!(
            configuration,
            json!({"webhooks": [
                {"name": "validate.secretstore.external-secrets.io", "clientConfig": {"caBundle": "UEVN", "service": {"name": "webhook", "namespace": "operators", "path": "/validate", "port": 443}}},
                {"name": "validate.other.io", "clientConfig": {"service": {"name": "old", "namespace": "old"}}},
            ]})
        );
    }

    #[test]
    fn only_a_crd_that_converts_by_webhook_is_changed() {
        let none = json!({"spec": {"conversion": {"strategy": "None"}}});
        let mut definition = none.clone();
        into_conversion(&mut definition, TARGET);
        assert_eq!(definition, none);

        let client =
            json!({"caBundle": "Cg==", "service": {"name": "kubernetes", "namespace": "default", "path": "/convert"}});
        let mut definition =
            json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": client}}}});
        into_conversion(&mut definition, TARGET);
        assert_eq!(
            definition["spec"]["conversion"]["webhook"]["clientConfig"],
            json!({"caBundle": "UEVN", "service": {"name": "webhook", "namespace": "operators", "path": "/convert"}})
        );
    }

    #[test]
    fn a_webhook_with_a_url_keeps_it() {
        let client = json!({"url": "https://127.0.0.1:9443/convert"});
        let mut definition =
            json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": client}}}});
        into_conversion(&mut definition, TARGET);
        let client = &definition["spec"]["conversion"]["webhook"]["clientConfig"];
        assert_eq!(client, &json!({"url": "https://127.0.0.1:9443/convert", "caBundle": "UEVN"}));
    }
}
