//! Renders `target.template`: turns the values, and the ConfigMaps and Secrets with templates, into the content of the
//! target, in ESO's order. Later results replace earlier ones:
//!
//! 1. the values, with `mergePolicy: Merge` or if the template produces no data;
//! 2. `templateFrom`, entry by entry: first the ConfigMap, then the Secret, then the literal;
//! 3. `data`, `metadata.labels` and `metadata.annotations`.
//!
//! For an object that is not a Secret, `templateFrom` may name any path ([`TemplateTarget`]).

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::object::{Edit, EditMode};
use super::rendered::Rendered;
use super::{SecretData, SecretValue, data};
use crate::api::v1::external_secret::{
    DecodingStrategy, ExternalSecretTemplate, TemplateFrom, TemplateMergePolicy, TemplateRef, TemplateScope,
};
use crate::api::{FieldPath, TemplateTarget};
use crate::template::{Allowance, Engine, Map, Text, Type, Value, yaml};

pub use error::{RenderError, SourceKind};

/// The namespace's ConfigMaps and Secrets with templates, by name.
#[derive(Default)]
pub struct Sources {
    /// The `data` of the ConfigMaps.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The `data` of the Secrets.
    pub secrets: BTreeMap<String, SecretData>,
}

/// The keys that `templateFrom` names in the ConfigMap or Secret called `name`; `of` says in which. Whatever else the
/// object holds is not needed.
#[must_use]
pub fn named_keys<'a>(
    template: &'a ExternalSecretTemplate,
    name: &str,
    of: fn(&TemplateFrom) -> Option<&TemplateRef>,
) -> BTreeSet<&'a str> {
    let references = template.template_from.iter().filter_map(of).filter(|reference| reference.name == name);
    references.flat_map(|reference| &reference.items).map(|item| item.key.as_str()).collect()
}

/// Parses YAML into strings by key, as `sigs.k8s.io/yaml` does for a `map[string]string`. Errors contain no value. The
/// cost is charged to the allowance.
pub type ReadKeysAndValues = fn(&[u8], &mut Allowance) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, String>;

/// Renders templates.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    /// Where the template stands in the spec, for messages: `spec.target.template`.
    pub root: &'static str,
    /// The engine, with the delimiters that the controller was given.
    pub engine: &'a Engine,
    /// Parses the result of a template that produces keys and values.
    pub read_keys_and_values: ReadKeysAndValues,
}

impl Renderer<'_> {
    /// Renders `template` for a Secret.
    ///
    /// # Errors
    /// [`RenderError`] if a ConfigMap, a Secret or a key in it is missing, or a template fails.
    pub fn render(
        self,
        template: &ExternalSecretTemplate,
        values: &SecretData,
        sources: &Sources,
    ) -> Result<Rendered, RenderError> {
        self.render_for(Form::Secret, template, values, sources)
    }

    /// Renders `template` for an object that is not a Secret.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_object(
        self,
        template: &ExternalSecretTemplate,
        values: &SecretData,
        sources: &Sources,
    ) -> Result<Rendered, RenderError> {
        self.render_for(Form::Object, template, values, sources)
    }

    fn render_for(
        self,
        form: Form,
        template: &ExternalSecretTemplate,
        values: &SecretData,
        sources: &Sources,
    ) -> Result<Rendered, RenderError> {
        let root = self.root;
        let mut rendering = Rendering {
            renderer: self,
            form,
            dot: dot(values),
            rendered: Rendered::default(),
            allowance: Allowance::new(),
        };
        if template.merge_policy == TemplateMergePolicy::Merge || !template.makes_data() {
            rendering.rendered.data = values.clone();
        }
        for (index, from) in template.template_from.iter().enumerate() {
            rendering.template_from(&format!("{root}.templateFrom[{index}]"), from, sources)?;
        }
        rendering.map(&format!("{root}.data"), template.data.as_ref(), &TemplateTarget::Data)?;
        if let Some(metadata) = &template.metadata {
            rendering.map(&format!("{root}.metadata.labels"), metadata.labels.as_ref(), &TemplateTarget::Labels)?;
            rendering.map(
                &format!("{root}.metadata.annotations"),
                metadata.annotations.as_ref(),
                &TemplateTarget::Annotations,
            )?;
            rendering.rendered.finalizers.clone_from(&metadata.finalizers);
        }
        rendering.rendered.type_ = template.type_.clone().filter(|type_| !type_.is_empty());
        Ok(rendering.rendered)
    }
}

/// What is rendered for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Secret,
    /// Any other object.
    Object,
}

/// One template, and where its result goes.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// Its name in errors.
    field: &'a str,
    /// The key of its result, unless it produces keys itself.
    key: &'a str,
    text: &'a [u8],
    scope: TemplateScope,
    target: &'a TemplateTarget,
    decoding: DecodingStrategy,
}

/// The values as templates see them: as strings, so that no template can change them for the next.
fn dot(values: &SecretData) -> Value {
    let entry = |(key, value): (&String, &SecretValue)| {
        (Text::from(key.as_str()), Value::String(Text::from(value.expose_secret())))
    };
    Value::Map(Map::from_entries(&Type::String, values.iter().map(entry).collect()))
}

struct Rendering<'a> {
    renderer: Renderer<'a>,
    form: Form,
    dot: Value,
    rendered: Rendered,
    /// Shared by all templates of the object.
    allowance: Allowance,
}

impl Rendering<'_> {
    fn template_from(&mut self, field: &str, from: &TemplateFrom, sources: &Sources) -> Result<(), RenderError> {
        let target = match self.form {
            Form::Secret => TemplateTarget::of_secret(&from.target),
            Form::Object => TemplateTarget::of_object(&from.target),
        };
        let target = &target.map_err(|error| RenderError::Target { field: format!("{field}.target"), error })?;
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

    /// Renders the items of a ConfigMap or Secret; `text` returns one, if the object and the key exist.
    fn items<'s>(
        &mut self,
        field: &str,
        kind: SourceKind,
        reference: &TemplateRef,
        text: impl Fn(&str) -> Option<Option<&'s [u8]>>,
        target: &TemplateTarget,
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
        target: &TemplateTarget,
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
        let engine = self.renderer.engine;
        let template = engine.parse_within(source.key, source.text, &mut self.allowance).map_err(failed)?;
        self.rendered.is_volatile |= template.is_volatile();
        let result = template.render_within(&self.dot, &mut self.allowance).map_err(failed)?;
        match (source.scope, source.target) {
            (TemplateScope::Values, _) => self.set(source, source.key, &result),
            (TemplateScope::KeysAndValues, TemplateTarget::Spec) => {
                self.edit_document(source, FieldPath::of_keys(["spec"]), EditMode::Replace, &result)
            }
            (TemplateScope::KeysAndValues, TemplateTarget::Place(path)) => {
                // As in ESO, a top-level field is written as a whole.
                let mode = if path.steps().len() == 1 { EditMode::Replace } else { EditMode::Merge };
                self.edit_document(source, path.clone(), mode, &result)
            }
            (TemplateScope::KeysAndValues, _) => {
                let entries = (self.renderer.read_keys_and_values)(&result, &mut self.allowance)
                    .map_err(|reason| RenderError::NotKeysAndValues { field: source.field.to_owned(), reason })?;
                entries.iter().try_for_each(|(key, value)| self.set(source, key, value))
            }
        }
    }

    /// Writes a template's YAML to a path.
    fn edit_document(
        &mut self,
        source: Source<'_>,
        path: FieldPath,
        mode: EditMode,
        document: &[u8],
    ) -> Result<(), RenderError> {
        let value = yaml::read_json(document, &mut self.allowance)
            .map_err(|error| RenderError::NotYaml { field: source.field.to_owned(), reason: error.to_string() })?;
        self.rendered.edits.push(Edit::new(path, mode, value));
        Ok(())
    }

    /// Writes one value.
    fn set(&mut self, source: Source<'_>, key: &str, value: &[u8]) -> Result<(), RenderError> {
        let value: SecretValue = Arc::new(value.to_vec().into());
        let value = data::decode(source.decoding, value).map_err(|_| RenderError::Undecodable {
            field: source.field.to_owned(),
            key: key.to_owned(),
            strategy: source.decoding,
        })?;
        if self.form == Form::Secret && *source.target == TemplateTarget::Data {
            self.rendered.data.insert(key.to_owned(), value);
            return Ok(());
        }
        let text = std::str::from_utf8(value.expose_secret())
            .map_err(|_| RenderError::NotText { field: source.field.to_owned(), key: key.to_owned() })?;
        let (path, value) = match source.target {
            TemplateTarget::Labels => {
                self.rendered.labels.insert(key.to_owned(), text.to_owned());
                return Ok(());
            }
            TemplateTarget::Annotations => {
                self.rendered.annotations.insert(key.to_owned(), text.to_owned());
                return Ok(());
            }
            TemplateTarget::Data => (FieldPath::of_keys(["data", key]), text.into()),
            TemplateTarget::Spec => (FieldPath::of_keys(["spec", key]), text.into()),
            // As in ESO, numbers, lists and mappings are written as such, and what is not YAML as a string.
            TemplateTarget::Place(path) => {
                let value = match yaml::read_json(text.as_bytes(), &mut self.allowance) {
                    Err(error @ yaml::Error::Exceeded(_)) => {
                        return Err(RenderError::NotYaml { field: source.field.to_owned(), reason: error.to_string() });
                    }
                    other => other.unwrap_or_else(|_| text.into()),
                };
                (path.clone(), value)
            }
        };
        self.rendered.edits.push(Edit::new(path, EditMode::Replace, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
