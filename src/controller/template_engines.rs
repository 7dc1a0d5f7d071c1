//! The template engines, which all kinds that render share.

use crate::sync::template::Renderer;
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

    /// What renders the template of a spec, which stands in the field `root`.
    #[must_use]
    pub(crate) fn renderer(&self, root: &'static str) -> Renderer<'_> {
        Renderer {
            root,
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
