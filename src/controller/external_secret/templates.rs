//! `target.template`: reading the ConfigMaps and Secrets that templates come from, and rendering.

use std::collections::BTreeMap;

use secrecy::SecretSlice;

use super::cluster_view::ClusterView;
use super::error::Error;
use super::index::{TemplateSource, TemplateSourceKind, template_sources_of};
use crate::api::v1::external_secret::ExternalSecretTemplate;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectVersion;
use crate::provider::read_budget::MOST_READ;
use crate::sync::rendered::Rendered;
use crate::sync::target::Owner;
use crate::sync::template::{RenderError, Renderer, Sources};
use crate::sync::{SecretData, SecretValue};
use crate::template::{Delimiters, Engine, MissingKeys, funcs, yaml};

/// The template engines.
pub(crate) struct Templates {
    /// Of `target.template`.
    target: Engine,
    /// Of `rewrite.transform`, where as in ESO the delimiters are Go's and a missing key is no error.
    rewrite: Engine,
}

impl Templates {
    /// With these delimiters in `target.template`.
    #[must_use]
    pub(crate) fn new(delimiters: Delimiters) -> Self {
        let engine = Engine::new(funcs::all());
        Self {
            target: engine.clone().with_delimiters(delimiters),
            rewrite: engine.with_missing_keys(MissingKeys::NoValue),
        }
    }

    /// What renders `target.template`.
    #[must_use]
    pub(crate) fn renderer(&self) -> Renderer<'_> {
        Renderer {
            engine: &self.target,
            read_keys_and_values: |text, allowance| {
                yaml::read_strings(text, allowance).map_err(|error| error.to_string())
            },
        }
    }

    /// The engine of `rewrite.transform`.
    #[must_use]
    pub(crate) const fn rewrite(&self) -> &Engine {
        &self.rewrite
    }
}

/// What a template made, and what of.
pub(crate) struct Rendering {
    /// What it made.
    pub(crate) rendered: Rendered,
    /// The versions of the objects that templates came from.
    pub(crate) versions: BTreeMap<TemplateSource, ObjectVersion>,
}

/// Renders the template of `owner` over the values.
///
/// # Errors
/// [`Error::TemplateSource`] and [`Error::Template`]
pub(crate) async fn render(
    owner: Owner<'_>,
    template: &ExternalSecretTemplate,
    values: &SecretData,
    templates: &Templates,
    cluster: &dyn ClusterView,
) -> Result<Rendering, Error> {
    let (sources, versions) = read(owner, cluster).await?;
    let rendered = match owner.manifest() {
        None => templates.renderer().render(template, values, &sources),
        Some(_) => templates.renderer().render_object(template, values, &sources),
    };
    // It may have computed for some time, after which others get this thread's place (`runtime::fair`). What follows is for another.
    tokio::task::yield_now().await;
    let rendered = rendered?;
    Ok(Rendering { rendered, versions })
}

/// The most bytes of the ConfigMaps and Secrets that the templates of one ExternalSecret come from: as much as it may read of
/// values.
const MOST_OF_SOURCES: usize = MOST_READ;

/// Reads the objects with templates. One that is not there is left out; the renderer says which.
async fn read(
    owner: Owner<'_>,
    cluster: &dyn ClusterView,
) -> Result<(Sources, BTreeMap<TemplateSource, ObjectVersion>), Error> {
    let (mut sources, mut versions, mut size) = (Sources::default(), BTreeMap::new(), 0);
    for source in template_sources_of(owner.spec, owner.namespace()) {
        let name = source.object.name.clone();
        let version = match source.kind {
            TemplateSourceKind::ConfigMap => {
                let found = cluster.config_map(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("ConfigMap", &name, error))? else { continue };
                let data = object.data.unwrap_or_default();
                size += data.values().map(String::len).sum::<usize>();
                sources.config_maps.insert(name, data);
                ObjectVersion::of(&object.metadata)
            }
            TemplateSourceKind::Secret => {
                let found = cluster.secret(&source.object).await;
                let Some(object) = found.map_err(|error| unreadable("Secret", &name, error))? else { continue };
                let data = object.data.unwrap_or_default();
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
    Ok((sources, versions))
}

fn unreadable(kind: &'static str, name: &str, error: ApiError) -> Error {
    Error::TemplateSource { kind, name: name.to_owned(), error }
}
