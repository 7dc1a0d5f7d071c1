//! Looking up generators.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::Error;
use super::key::GeneratorKey;
use crate::api::generators::{Described, Generator, GeneratorSpec};
use crate::api::v1::external_secret::GeneratorRef;
use crate::generator::bounds::MOST_TEXT;
use crate::validate::generator;

/// Looks up generators. `None` means that an object certainly does not exist.
#[async_trait]
pub(crate) trait GeneratorLookup: Send + Sync {
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, Error>;
}

/// A generator that was looked up.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: GeneratorKey,
    /// Its spec; for a ClusterGenerator, the one that it wraps.
    pub(crate) spec: GeneratorSpec,
}

impl Found {
    /// The class of controller that handles it, if it names one.
    #[must_use]
    pub(crate) fn class(&self) -> Option<&str> {
        match &self.spec {
            GeneratorSpec::Fake(spec) => spec.controller.as_deref().filter(|class| !class.is_empty()),
            _ => None,
        }
    }
}

/// Looks up the generators of one ExternalSecret, one after the other.
pub(crate) struct Finder<'a> {
    namespace: &'a str,
    generators: &'a dyn GeneratorLookup,
    /// How many bytes of specs may still be read.
    left: usize,
}

impl<'a> Finder<'a> {
    /// For an ExternalSecret in this namespace.
    #[must_use]
    pub(crate) fn new(namespace: &'a str, generators: &'a dyn GeneratorLookup) -> Self {
        Self { namespace, generators, left: MOST_TEXT }
    }

    /// The generator that a reference names.
    ///
    /// # Errors
    /// [`Error`]
    pub(crate) async fn find(&mut self, reference: &GeneratorRef) -> Result<Found, Error> {
        let key = GeneratorKey::referenced(generator::kind(reference)?, self.namespace, &reference.name);
        let object = self.generators.generator(&key).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
        // Checked before it is parsed, because the parsed form is larger than the text.
        self.left = self.left.checked_sub(object.size()).ok_or(Error::TooLong { most: MOST_TEXT })?;
        let described = object.described(key.kind).map_err(|field| Error::InvalidSpec { key: key.clone(), field })?;
        let spec = match described {
            Described::One(spec) => spec,
            Described::Cluster(cluster) => cluster.served()?,
        };
        Ok(Found { key, spec })
    }
}
