//! The clients with which one ExternalSecret reads.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::Error;
use super::index::store_key;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::SourceRef;
use crate::budget::Budget;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::clients::Access;
use crate::controller::store_access::key::StoreKey;
use crate::provider::{Caller, ReadBudget, SecretsClient, ValueMemory};

/// The clients for the stores of one ExternalSecret: one per entry of `data` and of `dataFrom`.
pub(crate) struct Clients {
    data: Vec<Source>,
    data_from: Vec<Option<Source>>,
    memory: ValueMemory,
    namespace: String,
}

/// A store and its client.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) store: StoreKey,
    pub(crate) client: Arc<dyn SecretsClient>,
}

impl Clients {
    /// The clients that an ExternalSecret needs. What they compute is charged to `budget`.
    ///
    /// # Errors
    /// The error of the first store, in the order of the manifest, that cannot be used.
    pub(crate) async fn of(
        spec: &ExternalSecretSpec,
        key: &ObjectKey,
        access: Access<'_>,
        budget: &Arc<Budget>,
    ) -> Result<Self, Error> {
        let (data_stores, data_from_stores) = stores(spec, key)?;
        let caller = Caller::ExternalSecret { namespace: &key.namespace, budget };
        let mut known = HashMap::new();
        let data_stores = data_stores.into_iter().map(Some).collect();
        let data = sources(data_stores, &mut known, &key.namespace, access, caller).await?;
        let data = data.into_iter().flatten().collect();
        let data_from = sources(data_from_stores, &mut known, &key.namespace, access, caller).await?;
        let (memory, namespace) = (access.providers.memory.clone(), key.namespace.clone());
        Ok(Self { data, data_from, memory, namespace })
    }

    /// The sources of the entries of `data`.
    #[must_use]
    pub(crate) fn data(&self) -> &[Source] {
        &self.data
    }

    /// The sources of the entries of `dataFrom`; `None` for an entry whose values come from a generator.
    #[must_use]
    pub(crate) fn data_from(&self) -> &[Option<Source>] {
        &self.data_from
    }

    /// What they may read in one pass.
    #[must_use]
    pub(crate) fn budget(&self) -> ReadBudget {
        ReadBudget::new(&self.memory, &self.namespace)
    }
}

async fn sources(
    stores: Vec<Option<StoreKey>>,
    known: &mut HashMap<StoreKey, Arc<dyn SecretsClient>>,
    namespace: &str,
    access: Access<'_>,
    caller: Caller<'_>,
) -> Result<Vec<Option<Source>>, Error> {
    let mut sources = Vec::with_capacity(stores.len());
    for store in stores {
        let Some(store) = store else {
            sources.push(None);
            continue;
        };
        let client = match known.get(&store) {
            Some(client) => Arc::clone(client),
            None => access.client(&store, namespace, caller).await?,
        };
        known.insert(store.clone(), Arc::clone(&client));
        sources.push(Some(Source { store, client }));
    }
    Ok(sources)
}

/// The stores of the entries of `data` and of `dataFrom`; `None` for an entry of `dataFrom` whose values come from a
/// generator.
fn stores(spec: &ExternalSecretSpec, key: &ObjectKey) -> Result<(Vec<StoreKey>, Vec<Option<StoreKey>>), Error> {
    let data = spec.data.iter().enumerate();
    let data = data.map(|(index, entry)| named(spec, entry.source_ref.as_deref(), &format!("spec.data[{index}]"), key));
    let data_from = spec.data_from.iter().enumerate();
    let data_from = data_from.map(|(index, entry)| {
        let source = entry.source_ref.as_deref();
        if source.is_some_and(|source| source.generator_ref.is_some()) {
            return Ok(None);
        }
        named(spec, source, &format!("spec.dataFrom[{index}]"), key).map(Some)
    });
    Ok((data.collect::<Result<_, _>>()?, data_from.collect::<Result<_, _>>()?))
}

/// The store of an entry: its own `sourceRef`, or else the `secretStoreRef` of the ExternalSecret.
fn named(
    spec: &ExternalSecretSpec,
    source: Option<&SourceRef>,
    entry: &str,
    key: &ObjectKey,
) -> Result<StoreKey, Error> {
    let own = source.and_then(|source| source.store_ref.as_ref());
    let field = if own.is_some() { format!("{entry}.sourceRef.storeRef") } else { "spec.secretStoreRef".to_owned() };
    own.or(spec.secret_store_ref.as_ref())
        .and_then(|reference| store_key(reference, &key.namespace))
        .ok_or(Error::StoreNotNamed { field })
}
