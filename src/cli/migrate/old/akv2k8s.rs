//! AzureKeyVaultSecrets of akv2k8s become ExternalSecrets.
//!
//! What each field does there was read in its controller (1.8): of one object it writes one Secret, several objects with one Opaque Secret add their
//! keys to it, and the labels and annotations of the object are copied.

use std::collections::BTreeMap;

use serde_json::Value;

use super::certificate;
use super::choice::Choice;
use super::draft::{Draft, Entry, Remote};
use super::metadata;
use super::objects::{Found, Kind, Object};
use super::report::{About, Conversion};
use super::vault::{self, Store};
use super::workloads;
use crate::api::v1::StoreKind;

/// What is looked for.
pub(in crate::cli::migrate) const KINDS: [Kind; 1] = [Kind {
    group: "spv.no",
    versions: &["v1", "v2beta1", "v2alpha1", "v1alpha1"],
    kind: "AzureKeyVaultSecret",
    plural: "azurekeyvaultsecrets",
}];

const TLS: &str = "kubernetes.io/tls";
/// The key of the Secret of an object that has no Secret there.
const INJECTED_KEY: &str = "value";

/// What becomes of all of them.
pub(super) fn convert(found: &Found, choice: &Choice) -> Conversion {
    let mut conversion = Conversion::default();
    let mut by_target: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    for object in found.of_kind(KINDS[0].kind) {
        by_target.entry((object.namespace(), target(object))).or_default().push(object);
    }
    for objects in by_target.values() {
        of_target(objects, choice, &mut conversion);
    }
    injected(found, &mut conversion);
    conversion
}

/// The name of the Secret of an object; its own where it has none.
fn target(object: &Object) -> &str {
    match object.text("/spec/output/secret/name") {
        "" => object.name(),
        name => name,
    }
}

/// The type of the Secret of an object.
fn type_(object: &Object) -> &str {
    object.text("/spec/output/secret/type")
}

/// One ExternalSecret for all objects that write the same Secret.
fn of_target(objects: &[&Object], choice: &Choice, conversion: &mut Conversion) {
    let Some((first, others)) = objects.split_first() else { return };
    let is_opaque = |object: &&Object| matches!(type_(object), "" | "Opaque");
    if !others.is_empty() && !objects.iter().all(is_opaque) {
        for object in objects {
            let message = "several write this Secret, and akv2k8s keeps one of them alone, since they are not all Opaque; leave out those that do not count, and try again";
            conversion.about(&object.described()).by_hand("spec.output.secret.name", message);
        }
        return;
    }
    let name = if others.is_empty() { first.name() } else { target(first) };
    let store = store(first, choice, conversion);
    let mut draft = Draft::new(first.namespace(), name, store, target(first));
    type_(first).clone_into(&mut draft.type_);
    draft.metadata = metadata::copied(&first.value["metadata"]);
    for object in objects {
        let store = self::store(object, choice, conversion);
        add(object, store, &mut draft, &mut conversion.about(&object.described()));
    }
    if !draft.entries.is_empty() || !draft.extracts.is_empty() || !draft.yaml.is_empty() {
        conversion.add(draft.manifest());
        for object in objects {
            let message = format!("ExternalSecret {}/{name} writes the Secret {}", first.namespace(), target(first));
            conversion.about(&object.described()).done("", message);
        }
    }
}

/// The store of an object: the given one, or one for its vault.
fn store(object: &Object, choice: &Choice, conversion: &mut Conversion) -> Store {
    if !object.value["spec"]["vault"]["azureIdentity"].is_null() {
        let message = "has no effect there: the controller reads with its own identity; it is left out";
        conversion.about(&object.described()).done("spec.vault.azureIdentity", message);
    }
    if let Some(store) = &choice.store {
        return store.clone();
    }
    let (namespace, name) = (object.namespace(), object.text("/spec/vault/name"));
    let account = choice.service_account.as_deref().unwrap_or("azure-key-vault");
    let url = format!("https://{name}.vault.azure.net");
    conversion.add(vault::with_service_account(namespace, name, &url, account));
    let message = format!(
        "SecretStore {namespace}/{name} is made with the service account {account}: annotate it with azure.workload.identity/client-id and azure.workload.identity/tenant-id, create a federated credential for system:serviceaccount:{namespace}:{account}, and let the identity read the vault; or name a store with --store"
    );
    conversion
        .about(&format!("SecretStore {namespace}/{name}"))
        .by_hand("spec.provider.azurekv.serviceAccountRef", message);
    Store { kind: StoreKind::SecretStore, name: name.to_owned() }
}

/// Adds the keys of one object.
fn add(object: &Object, store: Store, draft: &mut Draft, about: &mut About<'_>) {
    let (name, version) = (object.text("/spec/vault/object/name"), object.text("/spec/vault/object/version"));
    if !object.value["spec"]["output"]["configMap"].is_null() {
        about.by_hand(
            "spec.output.configMap",
            "a ConfigMap is a generic target: the controller writes it with --unsafe-allow-generic-targets, and the manifest names it in spec.target.manifest",
        );
        if object.value["spec"]["output"]["secret"].is_null() {
            return;
        }
    }
    if !object.value["spec"]["output"]["transforms"].is_null() {
        about.by_hand("spec.output.transforms", "has no effect there: the field is called transform; it is left out");
    }
    let key = object.text("/spec/output/secret/dataKey");
    let has_secret = !object.value["spec"]["output"]["secret"].is_null();
    match object.text("/spec/vault/object/type") {
        "secret" if !has_secret => {
            about.by_hand("spec.output", format!("it has no Secret, and its value goes into variables of containers: the Secret {} has it as {INJECTED_KEY}; values are then in etcd", draft.target));
            draft.entries.push(plain(INJECTED_KEY, Remote::new(name, version), store));
        }
        "secret" => of_secret(object, key, &Remote::new(name, version), &store, draft, about),
        "certificate" => of_certificate(object, key, name, version, &store, draft, about),
        "key" if key.is_empty() => no_key(about),
        "key" => {
            about.by_hand("spec.vault.object.type", "the value stays the modulus of an RSA key as bytes, which hardly any program reads; template `jwkPublicKeyPem` of key/NAME makes a PEM");
            let remote = Remote { property: "n", ..Remote::new(format!("key/{name}"), version) };
            draft.entries.push(Entry { template: Some(modulus), ..plain(key, remote, store) });
        }
        "multi-key-value-secret" => of_many(object, Remote::new(name, version), draft, about),
        other => about.impossible("spec.vault.object.type", format!("{other:?} is not a type")),
    }
}

fn plain(key: &str, remote: Remote, store: Store) -> Entry {
    Entry { key: key.to_owned(), remote, template: None, pipeline: Vec::new(), store }
}

fn no_key(about: &mut About<'_>) {
    about.impossible("spec.output.secret.dataKey", "is missing, and akv2k8s writes no Secret without it");
}

fn of_secret(object: &Object, key: &str, remote: &Remote, store: &Store, draft: &mut Draft, about: &mut About<'_>) {
    let pipeline = transforms(object, about);
    let entry = |key: &str, template: Option<fn(&str) -> String>| Entry {
        template,
        pipeline: pipeline.clone(),
        ..plain(key, remote.clone(), store.clone())
    };
    let is_made_of_all = matches!(type_(object), "kubernetes.io/basic-auth" | TLS);
    if is_made_of_all && !pipeline.is_empty() {
        about.by_hand(
            "spec.output.transform",
            "comes before the value is taken apart; put the steps into the templates",
        );
    }
    match type_(object) {
        "kubernetes.io/basic-auth" => {
            draft.entries.push(entry("username", Some(|name| format!("{{{{ (split \":\" .{name})._0 }}}}"))));
            draft.entries.push(entry("password", Some(|name| format!("{{{{ (split \":\" .{name})._1 }}}}"))));
        }
        "kubernetes.io/ssh-auth" => draft.entries.push(entry("ssh-privatekey", None)),
        "kubernetes.io/dockerconfigjson" => draft.entries.push(entry(".dockerconfigjson", None)),
        "kubernetes.io/dockercfg" => draft.entries.push(entry(".dockercfg", None)),
        TLS => {
            keys_change(about);
            draft.entries.push(entry("tls.crt", Some(|name| format!("{{{{ .{name} | b64dec | pkcs12cert }}}}"))));
            draft.entries.push(entry("tls.key", Some(|name| format!("{{{{ .{name} | b64dec | pkcs12key }}}}"))));
        }
        _ if key.is_empty() => no_key(about),
        _ if pipeline == [DECODE] => {
            let remote = Remote { decoding: "Base64", ..remote.clone() };
            draft.entries.push(plain(key, remote, store.clone()));
        }
        _ => draft.entries.push(entry(key, None)),
    }
}

const DECODE: &str = "b64dec";

/// The steps of `output.transform`, as functions of templates.
fn transforms(object: &Object, about: &mut About<'_>) -> Vec<&'static str> {
    let steps = object.value["spec"]["output"]["transform"].as_array();
    let step = |step: &Value| match step.as_str() {
        Some("trim") => Some("trim"),
        Some("base64encode") => Some("b64enc"),
        Some("base64decode") => Some(DECODE),
        other => {
            let message = format!("{:?} is not a transformation", other.unwrap_or_default());
            about.impossible("spec.output.transform", message);
            None
        }
    };
    steps.into_iter().flatten().filter_map(step).collect()
}

/// What is known of keys of certificates.
fn keys_change(about: &mut About<'_>) {
    let message = "tls.key becomes PKCS#8 (it was PKCS#1, or SEC1): its bytes change once, and the key is the same; tls.crt changes where the order of the chain did";
    about.by_hand("spec.output.secret.type", message);
}

fn of_certificate(
    object: &Object,
    key: &str,
    name: &str,
    version: &str,
    store: &Store,
    draft: &mut Draft,
    about: &mut About<'_>,
) {
    if !object.text("/spec/output/secret/chainOrder").is_empty() {
        let message = "of a PFX the server's certificate always comes first; of PEM the order stays, so look at tls.crt if the vault keeps PEM";
        about.by_hand("spec.output.secret.chainOrder", message);
    }
    let bundle = Remote::new(name, version);
    match type_(object) {
        TLS => {
            keys_change(about);
            let entry = |key, template| Entry { template: Some(template), ..plain(key, bundle.clone(), store.clone()) };
            draft.entries.push(entry("tls.crt", certificate::chain as fn(&str) -> String));
            draft.entries.push(entry("tls.key", certificate::key));
        }
        _ if key.is_empty() => no_key(about),
        "Opaque" => {
            draft.entries.push(plain(key, Remote { decoding: "Auto", ..bundle }, store.clone()));
        }
        _ => {
            let remote = Remote::new(format!("cert/{name}"), version);
            draft.entries.push(Entry { template: Some(certificate::framed), ..plain(key, remote, store.clone()) });
        }
    }
}

/// Base64 for URLs without padding, as a JWK has it, as bytes.
fn modulus(name: &str) -> String {
    format!(
        "{{{{ $n := .{name} | replace \"-\" \"+\" | replace \"_\" \"/\" }}}}{{{{ printf \"%s%s\" $n (repeat (mod (sub 4 (mod (len $n) 4)) 4 | int) \"=\") | b64dec }}}}"
    )
}

fn of_many(object: &Object, remote: Remote, draft: &mut Draft, about: &mut About<'_>) {
    if !object.text("/spec/output/secret/dataKey").is_empty() {
        about.done("spec.output.secret.dataKey", "has no effect there: the value names the keys; it is left out");
    }
    match object.text("/spec/vault/object/contentType") {
        "application/x-json" => draft.extracts.push(remote),
        "application/x-yaml" => draft.yaml.push(remote),
        other => about.impossible(
            "spec.vault.object.contentType",
            format!("{other:?} is neither application/x-json nor application/x-yaml, and akv2k8s writes no Secret without one of them"),
        ),
    }
}

/// Variables of containers that name an object.
fn injected(found: &Found, conversion: &mut Conversion) {
    let mut namespaces: Vec<&str> = found.objects.iter().map(Object::namespace).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    for namespace in namespaces {
        for workload in workloads::in_namespace(found, namespace) {
            for (container, variable, value) in workload.injected() {
                let (name, query) = value.split_once("@azurekeyvault").unwrap_or_default();
                let named = found
                    .of_kind(KINDS[0].kind)
                    .find(|object| object.namespace() == namespace && object.name() == name);
                let secret = named.map_or(name, target);
                let key = query.strip_prefix('?').filter(|key| !key.is_empty());
                let own = named.map(|object| object.text("/spec/output/secret/dataKey")).filter(|key| !key.is_empty());
                let key = key.or(own).unwrap_or(INJECTED_KEY);
                let message = format!(
                    "container {container}, variable {variable}: write valueFrom.secretKeyRef with the name {secret} and the key {key} in place of the value; it is then in etcd"
                );
                conversion.about(&workload.object.described()).by_hand("env", message);
            }
        }
    }
}
