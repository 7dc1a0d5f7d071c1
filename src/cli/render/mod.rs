//! `external-secrets render`

mod manifests;
mod print;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::api::ServedVersion;
use crate::api::v1::secret_store::{FakeProvider, FakeProviderData};
use crate::api::v1::{ExternalSecret, SecretStoreSpec};
use crate::controller::external_secret::store_access::{Clients, Source, stores, view};
use crate::controller::external_secret::templates::Templates;
use crate::controller::external_secret::{self, fetch};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::provider::{Caller, Freshness, Priority, ProviderError, Providers, ReadOptions, SecretsClient};
use crate::sync::data;
use crate::sync::plan::{self, Plan};
use crate::sync::target::Owner;
use crate::template::Delimiters;

use super::providers;
use manifests::Manifests;

/// Why an ExternalSecret could not be rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Manifests(#[from] manifests::Error),
    #[error("--values={path}: {problem}", path = path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    #[error("the manifests have no ExternalSecret{0}")]
    Nothing(String),
    #[error("ExternalSecret {name:?}: {error}")]
    Sync {
        /// Its name.
        name: String,
        /// Why.
        error: Box<external_secret::Error>,
    },
    #[error("ExternalSecret {name:?}: {store} is in none of the manifests; give it as well, or the values by --values")]
    StoreNotGiven {
        /// Its name.
        name: String,
        /// The store.
        store: StoreKey,
    },
    #[error(transparent)]
    Providers(#[from] providers::Error),
    #[error(transparent)]
    Setup(#[from] crate::provider::azure::SetupError),
    #[error(transparent)]
    Print(#[from] print::Error),
}

/// Prints the Secrets that ExternalSecrets give, without a cluster.
#[derive(Args, Debug)]
pub(super) struct RenderArguments {
    /// Files or folders with the ExternalSecrets and what they refer to: stores, ConfigMaps, Secrets; - is the input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only the ExternalSecret of this name
    #[arg(long)]
    name: Option<String>,
    /// Take values from this file, a YAML mapping of `remoteRef.key` to value, instead of asking the stores
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Print the values themselves, not their length and the beginning of their hash
    #[arg(long)]
    show_values: bool,
    /// What begins an action in templates
    #[arg(long, default_value = "{{")]
    template_left_delimiter: String,
    /// What ends an action in templates
    #[arg(long, default_value = "}}")]
    template_right_delimiter: String,
    #[command(flatten)]
    providers: providers::ProviderArguments,
}

pub(super) async fn execute(arguments: &RenderArguments) -> Result<(), Error> {
    let manifests = Arc::new(Manifests::read(&arguments.paths)?);
    let wanted: Vec<&ExternalSecret> = manifests
        .external_secrets
        .iter()
        .filter(|object| arguments.name.is_none() || object.metadata.name == arguments.name)
        .collect();
    if wanted.is_empty() {
        let named = arguments.name.as_ref().map(|name| format!(" of the name {name:?}")).unwrap_or_default();
        return Err(Error::Nothing(named));
    }
    let renderer = Renderer {
        values: arguments.values.as_ref().map(values).transpose()?,
        providers: providers::without_metrics(&arguments.providers, Arc::clone(&manifests) as _)?,
        templates: Templates::new(Delimiters::new(
            &arguments.template_left_delimiter,
            &arguments.template_right_delimiter,
        )),
        manifests: &manifests,
    };
    let values_printed = if arguments.show_values { print::Values::Shown } else { print::Values::Redacted };
    for object in wanted {
        let plan = renderer.plan(object).await?;
        print::plan(&plan, object, values_printed)?;
    }
    Ok(())
}

/// The values of a file, as a store of the fake provider.
fn values(path: &PathBuf) -> Result<SecretStoreSpec, Error> {
    let invalid = |problem: String| Error::Values { path: path.clone(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    // The parser's error would show a part of the text.
    let values: HashMap<String, String> =
        serde_saphyr::from_str(&text).map_err(|_| invalid("this is no YAML mapping of keys to texts".to_owned()))?;
    let data = values.into_iter().map(|(key, value)| FakeProviderData { key, value, version: None }).collect();
    let mut spec = SecretStoreSpec::default();
    spec.provider.fake = Some(FakeProvider { data, validation_result: None });
    Ok(spec)
}

/// Does what the controller does, on manifests.
struct Renderer<'a> {
    manifests: &'a Manifests,
    values: Option<SecretStoreSpec>,
    providers: Providers,
    templates: Templates,
}

impl Renderer<'_> {
    async fn plan(&self, object: &ExternalSecret) -> Result<Plan, Error> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let failed = |error: external_secret::Error| Error::Sync { name: name.clone(), error: Box::new(error) };
        let spec = object.spec.get().map_err(|field| failed(field.clone().into()))?;
        external_secret::check(spec).map_err(failed)?;
        let key = ObjectKey::of(&object.metadata);
        let (data_stores, data_from_stores) = stores(spec, &key).map_err(failed)?;
        let clients = Clients::new(
            self.sources(data_stores, &key, &name).await?,
            self.sources(data_from_stores, &key, &name).await?,
        );
        let options = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };
        let read = fetch::values(spec, &clients, options).await.map_err(failed)?;
        let values =
            data::assemble(spec, read.fetched, self.templates.rewrite()).map_err(|error| failed(error.into()))?;
        let template = spec.target.as_ref().and_then(|target| target.template.as_deref());
        let rendered = template
            .map(|template| {
                self.templates.renderer().render(template, &values, &self.manifests.sources(&key.namespace))
            })
            .transpose()
            .map_err(|error| failed(error.into()))?;
        let owner = Owner { meta: &object.metadata, spec, version: ServedVersion::V1 };
        plan::build(owner, &values, rendered.as_ref(), None).map_err(|error| failed(error.into()))
    }

    async fn sources(&self, stores: Vec<StoreKey>, key: &ObjectKey, name: &str) -> Result<Vec<Source>, Error> {
        let mut sources = Vec::with_capacity(stores.len());
        for store in stores {
            let client = self.client(&store, key, name).await?;
            sources.push(Source { store, client });
        }
        Ok(sources)
    }

    async fn client(&self, store: &StoreKey, key: &ObjectKey, name: &str) -> Result<Arc<dyn SecretsClient>, Error> {
        let failed = |error: external_secret::Error| Error::Sync { name: name.to_owned(), error: Box::new(error) };
        let invalid = |error: ProviderError| {
            failed(external_secret::Error::Store { store: store.clone(), error: Box::new(error) })
        };
        let spec = match (&self.values, self.manifests.stores.get(store)) {
            (Some(values), _) => values,
            (None, Some(given)) => given.spec.get().map_err(|field| failed(field.clone().into()))?,
            (None, None) => return Err(Error::StoreNotGiven { name: name.to_owned(), store: store.clone() }),
        };
        let provider = self.providers.of(spec).map_err(invalid)?;
        provider.client(view(store, spec), Caller::ExternalSecretIn(&key.namespace)).await.map_err(invalid)
    }
}
