//! `target.template`: reading the ConfigMaps and Secrets that templates come from, and rendering.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use secrecy::SecretSlice;

use super::{Error, ObjectVersion, Subject};
use crate::api::v1::external_secret::ExternalSecretTemplate;
use crate::controller::context::{ApiError, Context, bounded};
use crate::controller::index::{TemplateSource, TemplateSourceKind, template_sources_of};
use crate::sync::rendered::Rendered;
use crate::sync::template::{Renderer, Sources};
use crate::sync::{SecretData, SecretValue};
use crate::template::{Delimiters, Engine, MissingKeys, funcs, yaml};

/// The template engines.
pub struct Templates {
    /// Of `target.template`.
    target: Engine,
    /// Of `rewrite.transform`, where as in ESO the delimiters are Go's and a missing key is no error.
    rewrite: Engine,
}

impl Templates {
    /// With these delimiters in `target.template`.
    #[must_use]
    pub fn new(delimiters: Delimiters) -> Self {
        let engine = Engine::new(funcs::all());
        Self {
            target: engine.clone().with_delimiters(delimiters),
            rewrite: engine.with_missing_keys(MissingKeys::NoValue),
        }
    }

    /// What renders `target.template`.
    #[must_use]
    pub fn renderer(&self) -> Renderer<'_> {
        Renderer {
            engine: &self.target,
            read_keys_and_values: |text| yaml::read_strings(text).map_err(|error| error.to_string()),
        }
    }

    /// The engine of `rewrite.transform`.
    #[must_use]
    pub const fn rewrite(&self) -> &Engine {
        &self.rewrite
    }
}

/// Renders a template, if there is one, over the values; the versions of what it was made from are remembered.
pub(super) async fn render(
    subject: Subject<'_>,
    template: Option<&ExternalSecretTemplate>,
    values: &SecretData,
    context: &Context,
) -> Result<Option<Rendered>, Error> {
    let Some(template) = template else { return Ok(None) };
    let seen = context.state.memos().get(subject.key).map(|memo| memo.template_events).unwrap_or_default();
    let (sources, versions) = read(subject, context).await?;
    // A template may compute for some time.
    let rendered = tokio::task::block_in_place(|| context.templates.renderer().render(template, values, &sources))?;
    let mut memos = context.state.memos();
    let memo = memos.entry(subject.key.clone()).or_default();
    memo.rendered_from = versions;
    memo.template_events_seen = seen;
    Ok(Some(rendered))
}

/// Reads the objects with templates. One that is not there is left out; the renderer says which.
async fn read(
    subject: Subject<'_>,
    context: &Context,
) -> Result<(Sources, BTreeMap<TemplateSource, ObjectVersion>), Error> {
    let (mut sources, mut versions) = (Sources::default(), BTreeMap::new());
    let Ok(spec) = subject.object.spec.get() else { return Ok((sources, versions)) };
    for source in template_sources_of(spec, &subject.key.namespace) {
        let name = source.object.name.clone();
        let version = match source.kind {
            TemplateSourceKind::ConfigMap => {
                let api: Api<ConfigMap> = Api::namespaced(context.client.clone(), &source.object.namespace);
                let found = bounded(api.get_opt(&name)).await.map_err(|error| unreadable("ConfigMap", &name, error))?;
                let Some(object) = found else { continue };
                sources.config_maps.insert(name, object.data.unwrap_or_default());
                ObjectVersion::of(&object.metadata)
            }
            TemplateSourceKind::Secret => {
                let api = context.secrets(&source.object.namespace);
                let found = bounded(api.get_opt(&name)).await.map_err(|error| unreadable("Secret", &name, error))?;
                let Some(object) = found else { continue };
                let data = object.data.unwrap_or_default();
                let data = data.into_iter().map(|(key, value)| (key, SecretValue::new(SecretSlice::from(value.0))));
                sources.secrets.insert(name, data.collect());
                ObjectVersion::of(&object.metadata)
            }
        };
        versions.insert(source, version);
    }
    Ok((sources, versions))
}

fn unreadable(kind: &'static str, name: &str, error: ApiError) -> Error {
    Error::TemplateSource { kind, name: name.to_owned(), error }
}
