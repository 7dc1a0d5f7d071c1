//! `target.template`: reads the ConfigMaps and Secrets that templates come from, and renders.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretSlice};

use super::cluster_view::ClusterView;
use super::error::Error;
use super::index::{TemplateSource, TemplateSourceKind, template_sources_of};
use crate::api::v1::external_secret::{ExternalSecretTemplate, TemplateFrom, TemplateRef};
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::template_engines::Templates;
use crate::provider::read_budget::MOST_READ;
use crate::provider::{Class, ProviderError, ReadBudget};
use crate::sync::rendered::Rendered;
use crate::sync::target::Owner;
use crate::sync::template::{RenderError, Sources, named_keys};
use crate::sync::{SecretData, SecretValue, hash};

/// Where the template stands in the spec.
const ROOT: &str = "spec.target.template";

/// What a template produced, and what from.
pub(crate) struct Rendering {
    pub(crate) rendered: Rendered,
    pub(crate) originals: Originals,
}

/// The ConfigMaps and Secrets that templates come from, as they were read.
#[derive(Default)]
pub(crate) struct Originals {
    sources: Sources,
    /// Their versions.
    pub(crate) versions: BTreeMap<TemplateSource, ObjectVersion>,
    /// A hash of the templates in them; `None` if there are none.
    pub(crate) texts: Option<String>,
    /// Accounts for the memory of the templates.
    _held: Option<ReadBudget>,
}

/// Renders the template of `owner` with the values.
///
/// # Errors
/// [`Error::Template`]
pub(crate) async fn render(
    owner: Owner<'_>,
    template: &ExternalSecretTemplate,
    values: &SecretData,
    templates: &Templates,
    originals: Originals,
) -> Result<Rendering, Error> {
    let rendered = match owner.manifest() {
        None => templates.renderer(ROOT).render(template, values, &originals.sources),
        Some(_) => templates.renderer(ROOT).render_object(template, values, &originals.sources),
    };
    // Rendering may have taken so long that this thread lost its slot (`runtime::fair`). Yield, so that the rest runs
    // in one.
    tokio::task::yield_now().await;
    let rendered = rendered?;
    Ok(Rendering { rendered, originals })
}

/// Reads the objects with templates. Missing ones are left out; the renderer reports them. They have a budget like that
/// for values, in the memory that all namespaces share.
///
/// # Errors
/// [`Error::TemplateSource`], [`Error::TemplatesCrowded`], and [`Error::Template`] if they are too large.
pub(crate) async fn read(owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Originals, Error> {
    let held = cluster.budget(owner.namespace());
    match within(&held, owner, cluster).await {
        Ok(originals) => Ok(Originals { _held: Some(held), ..originals }),
        // No template is held while this waits for others.
        Err(_) if held.was_crowded_out() => {
            let held = held.anew().await.map_err(too_much)?;
            let originals = within(&held, owner, cluster).await?;
            Ok(Originals { _held: Some(held), ..originals })
        }
        Err(error) => Err(error),
    }
}

/// The same within a budget.
async fn within(held: &ReadBudget, owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Originals, Error> {
    let (mut sources, mut versions) = (Sources::default(), BTreeMap::new());
    for source in template_sources_of(owner.spec, owner.namespace()) {
        let name = source.object.name.clone();
        let version = match source.kind {
            TemplateSourceKind::ConfigMap => {
                let found = cluster.config_map(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("ConfigMap", &name, error))? else { continue };
                let mut data = object.data.unwrap_or_default();
                let named = named(owner, &name, |from| from.config_map.as_ref());
                data.retain(|key, _| named.contains(key.as_str()));
                held.charge_bytes(data.values().map(String::len).sum()).map_err(too_much)?;
                sources.config_maps.insert(name, data);
                ObjectVersion::of(&object.metadata)
            }
            TemplateSourceKind::Secret => {
                let found = cluster.secret(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("Secret", &name, error))? else { continue };
                let mut data = object.data.unwrap_or_default();
                let named = named(owner, &name, |from| from.secret.as_ref());
                data.retain(|key, _| named.contains(key.as_str()));
                held.charge_bytes(data.values().map(|value| value.0.len()).sum()).map_err(too_much)?;
                let data = data.into_iter().map(|(key, value)| (key, SecretValue::new(SecretSlice::from(value.0))));
                sources.secrets.insert(name, data.collect());
                ObjectVersion::of(&object.metadata)
            }
        };
        versions.insert(source, version);
    }
    let texts = texts(owner, &sources, &versions);
    Ok(Originals { sources, versions, texts, _held: None })
}

/// That the templates are too large, or that others hold too much at the moment.
fn too_much(error: ProviderError) -> Error {
    match error.class {
        Class::OverBudget => RenderError::TooLarge { most: MOST_READ }.into(),
        _ => Error::TemplatesCrowded(Box::new(error)),
    }
}

/// The keys that the template of `owner` names in an object.
fn named<'a>(owner: Owner<'a>, name: &str, of: fn(&TemplateFrom) -> Option<&TemplateRef>) -> BTreeSet<&'a str> {
    let template = owner.spec.target.as_ref().and_then(|target| target.template.as_deref());
    template.map(|template| named_keys(template, name, of)).unwrap_or_default()
}

/// A hash of the templates in these objects, each once, however often it is named. For a Secret it includes the UID:
/// without read access to that Secret, nobody can find out its text by comparing guesses with the hash.
fn texts(owner: Owner<'_>, sources: &Sources, versions: &BTreeMap<TemplateSource, ObjectVersion>) -> Option<String> {
    let template = owner.spec.target.as_ref()?.template.as_deref()?;
    let mut texts = BTreeMap::new();
    for from in &template.template_from {
        for (reference, kind) in
            [(&from.config_map, TemplateSourceKind::ConfigMap), (&from.secret, TemplateSourceKind::Secret)]
        {
            let Some(TemplateRef { name, items, .. }) = reference else { continue };
            for item in items {
                let text = match kind {
                    TemplateSourceKind::ConfigMap => {
                        sources.config_maps.get(name).and_then(|data| data.get(&item.key)).map(String::as_bytes)
                    }
                    TemplateSourceKind::Secret => {
                        let data = sources.secrets.get(name);
                        data.and_then(|data| data.get(&item.key)).map(|value| value.expose_secret())
                    }
                };
                texts.insert((kind, name, &item.key), text);
            }
        }
    }
    let uid = |kind, name: &str| {
        let source = TemplateSource { kind, object: ObjectKey::new(owner.namespace(), name) };
        versions.get(&source).filter(|_| kind == TemplateSourceKind::Secret).map(|version| version.uid.as_bytes())
    };
    let parts = texts.iter().flat_map(|((kind, name, key), text)| {
        let is_there: &[u8] = if text.is_some() { b"there" } else { b"missing" };
        let uid = uid(*kind, name).unwrap_or_default();
        [name.as_bytes(), key.as_bytes(), uid, is_there, text.unwrap_or_default()]
    });
    (!texts.is_empty()).then(|| hash::texts(parts))
}

/// A hash of the versions of the objects with templates of `owner`, for its status: it says nothing about their content.
/// `None` if there are none, or if one of them was not read.
#[must_use]
pub(crate) fn versions_hash(owner: Owner<'_>, read: &BTreeMap<TemplateSource, ObjectVersion>) -> Option<String> {
    let sources = template_sources_of(owner.spec, owner.namespace());
    let versions = sources.iter().map(|source| {
        let TemplateSource { kind, object } = source;
        let is_secret = *kind == TemplateSourceKind::Secret;
        read.get(source).map(|version| (is_secret, &object.name, &version.uid, &version.resource_version))
    });
    let versions: Vec<_> = versions.collect::<Option<_>>()?;
    (!versions.is_empty()).then(|| hash::fingerprint(&versions))
}

fn unreadable(kind: &'static str, name: &str, error: ApiError) -> Error {
    Error::TemplateSource { kind, name: name.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use kube::core::DynamicObject;
    use serde_json::json;

    use super::*;
    use crate::api::ServedVersion;
    use crate::api::generators::Generator;
    use crate::api::v1::external_secret::ManifestReference;
    use crate::api::v1::{ExternalSecretSpec, SecretStore};
    use crate::controller::external_secret::kind_discovery::{KindError, TargetKind};
    use crate::controller::generators::error::Error as GeneratorError;
    use crate::controller::generators::key::GeneratorKey;
    use crate::controller::generators::lookup::GeneratorLookup;
    use crate::controller::store_access::clients::StoreLookup;
    use crate::controller::store_access::key::StoreKey;
    use crate::provider::ValueMemory;

    /// A cluster whose ConfigMaps all have a template of so many bytes.
    struct Cluster {
        memory: ValueMemory,
        size: usize,
    }

    #[async_trait]
    impl StoreLookup for Cluster {
        async fn store(&self, _: &StoreKey) -> Result<Option<Arc<SecretStore>>, ApiError> {
            Ok(None)
        }

        async fn namespace_labels(&self, _: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
            Ok(None)
        }
    }

    #[async_trait]
    impl GeneratorLookup for Cluster {
        async fn generator(&self, _: &GeneratorKey) -> Result<Option<Arc<Generator>>, GeneratorError> {
            Ok(None)
        }
    }

    #[async_trait]
    impl ClusterView for Cluster {
        async fn config_map(&self, _: &ObjectKey) -> Result<Option<ConfigMap>, ApiError> {
            let data = BTreeMap::from([("a".to_owned(), "x".repeat(self.size))]);
            Ok(Some(ConfigMap { data: Some(data), ..ConfigMap::default() }))
        }

        async fn secret(&self, _: &ObjectKey) -> Result<Option<Secret>, ApiError> {
            Ok(None)
        }

        async fn target_kind(&self, _: &ManifestReference, _: &str) -> Result<Arc<TargetKind>, KindError> {
            panic!("no template asks for a kind")
        }

        async fn target_object(&self, _: &TargetKind, _: &ObjectKey) -> Result<Option<DynamicObject>, ApiError> {
            Ok(None)
        }

        async fn secrets_labeled(&self, _: &str, _: &str) -> Result<Vec<ObjectMeta>, ApiError> {
            Ok(Vec::new())
        }

        fn budget(&self, namespace: &str) -> ReadBudget {
            ReadBudget::new(&self.memory, namespace)
        }
    }

    /// A spec with a template from so many ConfigMaps.
    fn spec(count: usize) -> ExternalSecretSpec {
        let from = |number| json!({"configMap": {"name": format!("c{number}"), "items": [{"key": "a"}]}});
        let from: Vec<_> = (0..count).map(from).collect();
        serde_json::from_value(json!({"target": {"template": {"templateFrom": from}}})).unwrap()
    }

    #[tokio::test]
    async fn large_templates_wait_for_others_and_small_ones_do_not() {
        let (meta, spec) = (ObjectMeta { namespace: Some("a".to_owned()), ..ObjectMeta::default() }, spec(3));
        let owner = Owner::new(&meta, &spec, ServedVersion::V1);
        let large = Cluster { memory: ValueMemory::default(), size: 1 << 20 };
        let small = Cluster { memory: large.memory.clone(), size: 1 << 10 };
        let held = [read(owner, &large).await.unwrap(), read(owner, &large).await.unwrap()];
        assert!(read(owner, &small).await.is_ok());
        let mut waiting = Box::pin(read(owner, &large));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(held);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn templates_that_are_too_large_together_are_refused() {
        let (meta, spec) = (ObjectMeta::default(), spec(5));
        let cluster = Cluster { memory: ValueMemory::default(), size: 1 << 20 };
        let refused = read(Owner::new(&meta, &spec, ServedVersion::V1), &cluster).await.err().unwrap();
        assert!(matches!(refused, Error::Template(RenderError::TooLarge { .. })), "{refused}");
    }
}
