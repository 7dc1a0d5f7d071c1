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

/// The most bytes of templates in ConfigMaps and Secrets of one ExternalSecret: the same as its limit for values.
const MOST_OF_SOURCES: usize = MOST_READ;

/// Reads the objects with templates. Missing ones are left out; the renderer reports them.
///
/// # Errors
/// [`Error::TemplateSource`], and [`Error::Template`] if they are too large.
pub(crate) async fn read(owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Originals, Error> {
    let (mut sources, mut versions, mut size) = (Sources::default(), BTreeMap::new(), 0);
    for source in template_sources_of(owner.spec, owner.namespace()) {
        let name = source.object.name.clone();
        let version = match source.kind {
            TemplateSourceKind::ConfigMap => {
                let found = cluster.config_map(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("ConfigMap", &name, error))? else { continue };
                let mut data = object.data.unwrap_or_default();
                let named = named(owner, &name, |from| from.config_map.as_ref());
                data.retain(|key, _| named.contains(key.as_str()));
                size += data.values().map(String::len).sum::<usize>();
                sources.config_maps.insert(name, data);
                ObjectVersion::of(&object.metadata)
            }
            TemplateSourceKind::Secret => {
                let found = cluster.secret(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("Secret", &name, error))? else { continue };
                let mut data = object.data.unwrap_or_default();
                let named = named(owner, &name, |from| from.secret.as_ref());
                data.retain(|key, _| named.contains(key.as_str()));
                size += data.values().map(|value| value.0.len()).sum::<usize>();
                let data = data.into_iter().map(|(key, value)| (key, SecretValue::new(SecretSlice::from(value.0))));
                sources.secrets.insert(name, data.collect());
                ObjectVersion::of(&object.metadata)
            }
        };
        if size > MOST_OF_SOURCES {
            return Err(RenderError::TooLarge { most: MOST_OF_SOURCES }.into());
        }
        versions.insert(source, version);
    }
    let texts = texts(owner, &sources, &versions);
    Ok(Originals { sources, versions, texts })
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
