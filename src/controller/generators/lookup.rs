//! Where generators are looked up.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::Error;
use super::key::GeneratorKey;
use crate::api::generators::{Described, Generator, GeneratorSpec};
use crate::api::v1::external_secret::GeneratorRef;
use crate::validate::generator;

/// Where generators are looked up. `None` stands for what is certainly not there.
#[async_trait]
pub(crate) trait GeneratorLookup: Send + Sync {
    /// A generator.
    async fn generator(&self, key: &GeneratorKey) -> Result<Option<Arc<Generator>>, Error>;
}

/// A generator that was looked up.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Which.
    pub(crate) key: GeneratorKey,
    /// What it describes; of a ClusterGenerator, what that holds.
    pub(crate) spec: GeneratorSpec,
}

impl Found {
    /// The class of controller that serves it, where it names one.
    #[must_use]
    pub(crate) fn class(&self) -> Option<&str> {
        match &self.spec {
            GeneratorSpec::Fake(spec) => spec.controller.as_deref().filter(|class| !class.is_empty()),
            _ => None,
        }
    }
}

/// The generator that a reference in a namespace names.
///
/// # Errors
/// [`Error`]
pub(crate) async fn find(
    reference: &GeneratorRef,
    namespace: &str,
    generators: &dyn GeneratorLookup,
) -> Result<Found, Error> {
    let key = GeneratorKey::referenced(generator::kind(reference)?, namespace, &reference.name);
    let object = generators.generator(&key).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
    let described = object.described(key.kind).map_err(|field| Error::InvalidSpec { key: key.clone(), field })?;
    let spec = match described {
        Described::One(spec) => spec,
        Described::Cluster(cluster) => cluster.served()?,
    };
    Ok(Found { key, spec })
}
