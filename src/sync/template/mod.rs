//! Renders `target.template`: from the values, and the ConfigMaps and Secrets that templates come
//! from, to what the target is to hold, in ESO's order. What comes later takes the place of what came
//! earlier:
//!
//! 1. the values, with `mergePolicy: Merge` or where the template makes no data;
//! 2. `templateFrom`, entry by entry: of each the ConfigMap, the Secret, then the literal;
//! 3. `data`, `metadata.labels` and `metadata.annotations`.

mod error;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::rendered::Rendered;
use super::{SecretData, SecretValue, data};
use crate::api::v1::external_secret::{
    DecodingStrategy, ExternalSecretTemplate, TemplateFrom, TemplateMergePolicy, TemplateRef, TemplateScope,
};
use crate::template::{Engine, Map, Text, Type, Value};

pub use error::{RenderError, SourceKind};

/// The ConfigMaps and Secrets of the namespace that templates come from, by name.
#[derive(Default)]
pub struct Sources {
    /// The `data` of the ConfigMaps.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The `data` of the Secrets.
    pub secrets: BTreeMap<String, SecretData>,
}

/// Reads YAML into strings by key, as `sigs.k8s.io/yaml` reads it into a `map[string]string`; an error
/// holds no value.
pub type ReadKeysAndValues = fn(&[u8]) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, String>;

/// What renders templates.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    /// The engine, with the delimiters that the controller was given.
    pub engine: &'a Engine,
    /// What reads the result of a template that makes keys and values.
    pub read_keys_and_values: ReadKeysAndValues,
}

impl Renderer<'_> {
    /// Renders `template` for a Secret.
    ///
    /// # Errors
    /// [`RenderError`] where a ConfigMap, a Secret or a key in it is missing, or a template fails.
    pub fn render(
        self,
        template: &ExternalSecretTemplate,
        values: &SecretData,
        sources: &Sources,
    ) -> Result<Rendered, RenderError> {
        let makes_no_data = template.data.as_ref().is_none_or(BTreeMap::is_empty) && template.template_from.is_empty();
        let mut rendering = Rendering { renderer: self, dot: dot(values), rendered: Rendered::default() };
        if template.merge_policy == TemplateMergePolicy::Merge || makes_no_data {
            rendering.rendered.data = values.clone();
        }
        for (index, from) in template.template_from.iter().enumerate() {
            rendering.template_from(&format!("{ROOT}.templateFrom[{index}]"), from, sources)?;
        }
        rendering.map(&format!("{ROOT}.data"), template.data.as_ref(), Target::Data)?;
        if let Some(metadata) = &template.metadata {
            rendering.map(&format!("{ROOT}.metadata.labels"), metadata.labels.as_ref(), Target::Labels)?;
            rendering.map(
                &format!("{ROOT}.metadata.annotations"),
                metadata.annotations.as_ref(),
                Target::Annotations,
            )?;
            rendering.rendered.finalizers.clone_from(&metadata.finalizers);
        }
        rendering.rendered.type_ = template.type_.clone().filter(|type_| !type_.is_empty());
        Ok(rendering.rendered)
    }
}

const ROOT: &str = "spec.target.template";

/// Where what a template makes goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Data,
    Labels,
    Annotations,
}

impl Target {
    /// The target that a name stands for, in upper or lower case. No name stands for the data.
    fn named(name: &str) -> Option<Self> {
        let named =
            [("", Self::Data), ("Data", Self::Data), ("Labels", Self::Labels), ("Annotations", Self::Annotations)];
        named.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, target)| target)
    }
}

/// One template, and what becomes of its result.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// What errors call it.
    field: &'a str,
    /// The key that its result gets, unless it makes keys itself.
    key: &'a str,
    text: &'a [u8],
    scope: TemplateScope,
    target: Target,
    decoding: DecodingStrategy,
}

/// The values as templates see them: strings, so that no template can change them for the next.
fn dot(values: &SecretData) -> Value {
    let entry = |(key, value): (&String, &SecretValue)| {
        (Text::from(key.as_str()), Value::String(Text::from(value.expose_secret())))
    };
    Value::Map(Map::from_entries(&Type::String, values.iter().map(entry).collect()))
}

struct Rendering<'a> {
    renderer: Renderer<'a>,
    dot: Value,
    rendered: Rendered,
}

impl Rendering<'_> {
    fn template_from(&mut self, field: &str, from: &TemplateFrom, sources: &Sources) -> Result<(), RenderError> {
        let Some(target) = Target::named(&from.target) else {
            return Err(RenderError::Target { field: format!("{field}.target"), target: from.target.clone() });
        };
        let decoding = from.values_decoding_strategy.unwrap_or_default();
        if let Some(reference) = &from.config_map {
            let field = format!("{field}.configMap");
            let data = sources.config_maps.get(&reference.name);
            let text = |key: &str| data.map(|data| data.get(key).map(String::as_bytes));
            self.items(&field, SourceKind::ConfigMap, reference, text, target, decoding)?;
        }
        if let Some(reference) = &from.secret {
            let field = format!("{field}.secret");
            let data = sources.secrets.get(&reference.name);
            let text = |key: &str| data.map(|data| data.get(key).map(|value| value.expose_secret()));
            self.items(&field, SourceKind::Secret, reference, text, target, decoding)?;
        }
        if let Some(literal) = &from.literal {
            let (field, text) = (format!("{field}.literal"), literal.as_bytes());
            let scope = TemplateScope::KeysAndValues;
            self.apply(Source { field: &field, key: "literal", text, scope, target, decoding })?;
        }
        Ok(())
    }

    /// Renders the items of a ConfigMap or Secret; `text` gives one, if there are the object and the
    /// key.
    fn items<'s>(
        &mut self,
        field: &str,
        kind: SourceKind,
        reference: &TemplateRef,
        text: impl Fn(&str) -> Option<Option<&'s [u8]>>,
        target: Target,
        decoding: DecodingStrategy,
    ) -> Result<(), RenderError> {
        for (index, item) in reference.items.iter().enumerate() {
            let field = format!("{field}.items[{index}]");
            let (name, key) = (&reference.name, &item.key);
            let text = match text(key) {
                Some(Some(text)) => text,
                Some(None) => {
                    return Err(RenderError::MissingKey { field, kind, name: name.clone(), key: key.clone() });
                }
                None => return Err(RenderError::Missing { field, kind, name: name.clone() }),
            };
            self.apply(Source { field: &field, key, text, scope: item.template_as, target, decoding })?;
        }
        Ok(())
    }

    fn map(
        &mut self,
        field: &str,
        templates: Option<&BTreeMap<String, String>>,
        target: Target,
    ) -> Result<(), RenderError> {
        for (key, text) in templates.into_iter().flatten() {
            let (field, text) = (format!("{field}[{key}]"), text.as_bytes());
            let (scope, decoding) = (TemplateScope::Values, DecodingStrategy::None);
            self.apply(Source { field: &field, key, text, scope, target, decoding })?;
        }
        Ok(())
    }

    fn apply(&mut self, source: Source<'_>) -> Result<(), RenderError> {
        let failed = |error| RenderError::Template { field: source.field.to_owned(), error };
        let template = self.renderer.engine.parse(source.key, source.text).map_err(failed)?;
        let result = template.render(&self.dot).map_err(failed)?;
        match source.scope {
            TemplateScope::Values => self.set(source, source.key, &result),
            TemplateScope::KeysAndValues => {
                let entries = (self.renderer.read_keys_and_values)(&result)
                    .map_err(|reason| RenderError::NotKeysAndValues { field: source.field.to_owned(), reason })?;
                entries.iter().try_for_each(|(key, value)| self.set(source, key, value))
            }
        }
    }

    fn set(&mut self, source: Source<'_>, key: &str, value: &[u8]) -> Result<(), RenderError> {
        let value: SecretValue = Arc::new(value.to_vec().into());
        let value = data::decode(source.decoding, value).map_err(|_| RenderError::Undecodable {
            field: source.field.to_owned(),
            key: key.to_owned(),
            strategy: source.decoding,
        })?;
        let metadata = match source.target {
            Target::Data => {
                self.rendered.data.insert(key.to_owned(), value);
                return Ok(());
            }
            Target::Labels => &mut self.rendered.labels,
            Target::Annotations => &mut self.rendered.annotations,
        };
        let text = std::str::from_utf8(value.expose_secret())
            .map_err(|_| RenderError::NotText { field: source.field.to_owned(), key: key.to_owned() })?;
        metadata.insert(key.to_owned(), text.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
