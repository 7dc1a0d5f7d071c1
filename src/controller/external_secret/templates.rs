//! `target.template`: reads the ConfigMaps and Secrets that templates come from, and renders.

use std::collections::BTreeMap;

use secrecy::SecretSlice;

use super::cluster_view::ClusterView;
use super::error::Error;
use super::index::{TemplateSource, TemplateSourceKind, template_sources_of};
use crate::api::v1::external_secret::ExternalSecretTemplate;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectVersion;
use crate::controller::template_engines::Templates;
use crate::provider::read_budget::MOST_READ;
use crate::sync::rendered::Rendered;
use crate::sync::target::Owner;
use crate::sync::template::{RenderError, Sources};
use crate::sync::{SecretData, SecretValue};

/// Where the template stands in the spec.
const ROOT: &str = "spec.target.template";

/// What a template produced, and what from.
pub(crate) struct Rendering {
    pub(crate) rendered: Rendered,
    /// The versions of the objects that templates came from.
    pub(crate) versions: BTreeMap<TemplateSource, ObjectVersion>,
}

/// Renders the template of `owner` with the values.
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
        None => templates.renderer(ROOT).render(template, values, &sources),
        Some(_) => templates.renderer(ROOT).render_object(template, values, &sources),
    };
    // Rendering may have taken so long that this thread lost its slot (`runtime::fair`). Yield, so that the rest runs
    // in one.
    tokio::task::yield_now().await;
    let rendered = rendered?;
    Ok(Rendering { rendered, versions })
}

/// The most bytes of the ConfigMaps and Secrets that the templates of one ExternalSecret come from: the same as its
/// limit for values.
const MOST_OF_SOURCES: usize = MOST_READ;

/// Reads the objects with templates. Missing ones are left out; the renderer reports them.
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
