//! Reads the objects that are asked for.

use jiff::Timestamp;

use super::asked::Which;
use super::kinds;
use super::row::Row;
use crate::cli::person::Cluster;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Where to read.
pub(super) struct Scope<'a> {
    pub(super) cluster: &'a Cluster,
    /// All namespaces if `None`.
    pub(super) namespace: Option<&'a str>,
    pub(super) selector: Option<&'a str>,
}

impl Scope<'_> {
    /// The objects of a kind, and the names of those that do not exist.
    pub(super) async fn rows(&self, kind: Kind, which: &Which) -> Result<(Vec<Row>, Vec<Named>), ApiError> {
        let now = Timestamp::now();
        let keys = match which {
            Which::All => return Ok((self.all(kind, now).await?, Vec::new())),
            Which::Named(keys) => keys,
        };
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        for key in keys {
            match self.one(kind, key, now).await? {
                Some(row) => rows.push(row),
                None => missing.push(Named { kind, key: key.clone() }),
            }
        }
        Ok((rows, missing))
    }

    async fn all(&self, kind: Kind, now: Timestamp) -> Result<Vec<Row>, ApiError> {
        let Self { cluster, namespace, selector } = *self;
        Ok(match kind {
            Kind::ExternalSecret => {
                let objects = cluster.external_secrets(namespace, selector).await?;
                objects.iter().map(|object| kinds::external_secret(object, now)).collect()
            }
            Kind::ClusterExternalSecret => {
                let objects = cluster.cluster_external_secrets(selector).await?;
                objects.iter().map(|object| kinds::cluster_external_secret(object, now)).collect()
            }
            Kind::PushSecret => {
                let objects = cluster.push_secrets(namespace, selector).await?;
                objects.iter().map(|object| kinds::push_secret(object, now)).collect()
            }
            Kind::ClusterPushSecret => {
                let objects = cluster.cluster_push_secrets(selector).await?;
                objects.iter().map(|object| kinds::cluster_push_secret(object, now)).collect()
            }
            Kind::Store(kind) => {
                let stores = cluster.stores(kind, namespace, selector).await?;
                stores.iter().map(|(_, store)| kinds::store(kind, store, now)).collect()
            }
        })
    }

    async fn one(&self, kind: Kind, key: &ObjectKey, now: Timestamp) -> Result<Option<Row>, ApiError> {
        let cluster = self.cluster;
        Ok(match kind {
            Kind::ExternalSecret => {
                cluster.external_secret(key).await?.map(|object| kinds::external_secret(&object, now))
            }
            Kind::ClusterExternalSecret => {
                let object = cluster.cluster_external_secret(&key.name).await?;
                object.map(|object| kinds::cluster_external_secret(&object, now))
            }
            Kind::PushSecret => cluster.push_secret(key).await?.map(|object| kinds::push_secret(&object, now)),
            Kind::ClusterPushSecret => {
                let object = cluster.cluster_push_secret(&key.name).await?;
                object.map(|object| kinds::cluster_push_secret(&object, now))
            }
            Kind::Store(kind) => {
                let store = cluster.store(&StoreKey { kind, object: key.clone() }).await?;
                store.map(|store| kinds::store(kind, &store, now))
            }
        })
    }
}
