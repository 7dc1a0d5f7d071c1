//! The Secrets that are pushed, and the template over them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use k8s_openapi::api::core::v1::Secret;
use kube::core::Selector;
use secrecy::ExposeSecret as _;

use super::error::Error;
use super::versions::{SourceKind, Versions};
use super::view::Tools;
use crate::api::v1::external_secret::ExternalSecretTemplate;
use crate::api::v1alpha1::PushSecretSpec;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::options::Switch;
use crate::provider::read_budget::MOST_READ;
use crate::provider::{Class, ProviderError, ReadBudget};
use crate::sync::SecretData;
use crate::sync::push::Source;
use crate::sync::template::{Sources as TemplateSources, named_keys};

/// The most Secrets that one PushSecret pushes.
const MOST_SECRETS: usize = 500;
/// The types of Secrets that hold credentials of the cluster itself.
const TOKENS: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];
/// The key of this process's hashes.
static PROCESS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
/// The template's field in the spec.
const ROOT: &str = "spec.template";

/// What there is to push.
pub(super) enum Sources {
    /// These Secrets, sorted by name.
    Secrets(Vec<Source>),
    /// The Secret of this name does not exist, or none is selected.
    Gone(String),
}

/// Reads the Secrets of a spec from the API server, not from a watch cache, because deletions depend on whether they exist.
pub(super) async fn read(
    spec: &PushSecretSpec,
    namespace: &str,
    versions: &mut Versions,
    held: &ReadBudget,
    tools: Tools<'_>,
) -> Result<Sources, Error> {
    let Some(selector) = &spec.selector.secret else {
        return Err(Error::Rejected("spec.selector: name a Secret".to_owned()));
    };
    if let Some(name) = selector.name.as_deref().filter(|name| !name.is_empty()) {
        let found = secret(name, namespace, versions, tools).await?;
        let Some(found) = found else { return Ok(Sources::Gone(format!("Secret {name:?} does not exist"))) };
        let source = source(found, tools)?;
        charge(held, &source.data)?;
        return Ok(Sources::Secrets(vec![source]));
    }
    let Some(labels) = &selector.selector else {
        return Err(Error::Rejected("spec.selector.secret: set name or selector".to_owned()));
    };
    let labels = Selector::try_from(labels.clone())
        .map_err(|problem| Error::Rejected(format!("spec.selector.secret.selector: {problem}")))?;
    let selected = tools.view.selected(namespace, &labels, MOST_SECRETS + 1).await;
    let mut names = selected.map_err(|error| unreadable("the selected Secrets", error))?;
    if names.len() > MOST_SECRETS {
        let problem = format!(
            "spec.selector.secret.selector selects more than {MOST_SECRETS} Secrets, which is the most of one PushSecret"
        );
        // Not on change: which Secrets are no longer selected is not remembered.
        return Err(Error::Source(problem));
    }
    names.sort_unstable();
    let mut sources = Vec::new();
    for name in names {
        // A Secret that was deleted meanwhile does not count.
        let Some(found) = secret(&name, namespace, versions, tools).await? else { continue };
        let source = source(found, tools)?;
        charge(held, &source.data)?;
        sources.push(source);
    }
    if sources.is_empty() {
        return Ok(Sources::Gone("spec.selector.secret.selector selects no Secret".to_owned()));
    }
    Ok(Sources::Secrets(sources))
}

/// Counts values against what one PushSecret may read, and what all may hold together.
pub(super) fn charge(held: &ReadBudget, data: &SecretData) -> Result<(), Error> {
    held.charge_all(data).map_err(|error| too_much(&error))
}

/// That a PushSecret reads too much, or that others hold too much at the moment.
pub(super) fn too_much(error: &ProviderError) -> Error {
    match error.class {
        Class::OverBudget => Error::Source(format!(
            "the Secrets and templates of one PushSecret may have {} MiB together, with 64 bytes for each key, and these have more; make several PushSecrets, or select fewer Secrets",
            MOST_READ >> 20
        )),
        _ => Error::Source(error.to_string()),
    }
}

fn unreadable(name: &str, error: ApiError) -> Error {
    Error::SourceUnreadable { name: name.to_owned(), error }
}

async fn secret(
    name: &str,
    namespace: &str,
    versions: &mut Versions,
    tools: Tools<'_>,
) -> Result<Option<Secret>, Error> {
    let found = tools.view.source(&ObjectKey::new(namespace, name)).await.map_err(|error| unreadable(name, error))?;
    if let Some(found) = &found {
        versions.insert((SourceKind::Secret, name.to_owned()), ObjectVersion::of(&found.metadata));
    }
    Ok(found)
}

/// The values of a Secret, unless it is a credential of the cluster.
fn source(secret: Secret, tools: Tools<'_>) -> Result<Source, Error> {
    let name = secret.metadata.name.unwrap_or_default();
    let type_ = secret.type_.unwrap_or_default();
    let data = secret.data.unwrap_or_default().into_iter();
    let data: SecretData = data.map(|(key, value)| (key, Arc::new(value.0.into()))).collect();
    check_type(&name, &type_, tools)?;
    Ok(Source { name, data: Arc::new(data) })
}

/// Refuses credentials of the cluster itself, as a source and in a template.
fn check_type(name: &str, type_: &str, tools: Tools<'_>) -> Result<(), Error> {
    if TOKENS.contains(&type_) && tools.token_secrets == Switch::Off {
        return Err(Error::Source(format!(
            "Secret {name:?} is of the type {type_}, a credential of the cluster, which is not pushed; start the controller with --push-token-secrets to allow it"
        )));
    }
    Ok(())
}

/// A hash of the sources of the objects, under a key of this process: the Secrets, the sources of templates, and the generation
/// of the spec.
pub(super) fn digest(found: &[Source], from: &TemplateSources, generation: Option<i64>) -> u64 {
    let mut hasher = PROCESS.build_hasher();
    generation.hash(&mut hasher);
    for Source { name, data } in found {
        name.hash(&mut hasher);
        hash_values(data, &mut hasher);
    }
    for (name, data) in &from.config_maps {
        (name, data).hash(&mut hasher);
    }
    for (name, data) in &from.secrets {
        name.hash(&mut hasher);
        hash_values(data, &mut hasher);
    }
    hasher.finish()
}

fn hash_values(data: &SecretData, hasher: &mut impl Hasher) {
    data.len().hash(hasher);
    for (key, value) in data {
        (key, value.expose_secret()).hash(hasher);
    }
}

/// Renders the template for each Secret. The results are added to the Secret's own values and replace those of the same key.
pub(super) async fn rendered(
    template: Option<&ExternalSecretTemplate>,
    sources: Vec<Source>,
    from: &TemplateSources,
    held: &ReadBudget,
    tools: Tools<'_>,
) -> Result<Vec<Source>, Error> {
    let Some(template) = template else { return Ok(sources) };
    let mut rendered = Vec::new();
    for Source { name, data } in sources {
        let made = tools.templates.renderer(ROOT).render(template, &data, from);
        // It may have computed for some time, after which others get this thread's place (`runtime::fair`).
        tokio::task::yield_now().await;
        let made = made?.data;
        charge(held, &made)?;
        let mut data = Arc::unwrap_or_clone(data);
        data.extend(made);
        rendered.push(Source { name, data: Arc::new(data) });
    }
    Ok(rendered)
}

/// The ConfigMaps and Secrets that the template comes from, without those that do not exist; the renderer names them.
pub(super) async fn template_sources(
    template: Option<&ExternalSecretTemplate>,
    namespace: &str,
    versions: &mut Versions,
    held: &ReadBudget,
    tools: Tools<'_>,
) -> Result<TemplateSources, Error> {
    let mut sources = TemplateSources::default();
    let Some(template) = template else { return Ok(sources) };
    for from in &template.template_from {
        if let Some(reference) = &from.config_map
            && !sources.config_maps.contains_key(&reference.name)
        {
            let found = tools.view.template_source(&ObjectKey::new(namespace, &reference.name)).await;
            let found = found.map_err(|error| unreadable(&reference.name, error))?;
            if let Some(found) = &found {
                let place = (SourceKind::ConfigMap, reference.name.clone());
                versions.insert(place, ObjectVersion::of(&found.metadata));
            }
            let named = named_keys(template, &reference.name, |from| from.config_map.as_ref());
            let data: Option<BTreeMap<_, _>> = found.map(|found| {
                let mut data = found.data.unwrap_or_default();
                data.retain(|key, _| named.contains(key.as_str()));
                data
            });
            let size = data.iter().flatten().map(|(_, text)| text.len()).sum();
            held.charge_bytes(size).map_err(|error| too_much(&error))?;
            sources.config_maps.extend(data.map(|data| (reference.name.clone(), data)));
        }
        if let Some(reference) = &from.secret
            && !sources.secrets.contains_key(&reference.name)
        {
            let found = secret(&reference.name, namespace, versions, tools).await?;
            let Some(found) = found else { continue };
            check_type(&reference.name, found.type_.as_deref().unwrap_or_default(), tools)?;
            let mut data = found.data.unwrap_or_default();
            let named = named_keys(template, &reference.name, |from| from.secret.as_ref());
            data.retain(|key, _| named.contains(key.as_str()));
            let data = data.into_iter().map(|(key, value)| (key, Arc::new(value.0.into()))).collect();
            charge(held, &data)?;
            sources.secrets.insert(reference.name.clone(), data);
        }
    }
    Ok(sources)
}
