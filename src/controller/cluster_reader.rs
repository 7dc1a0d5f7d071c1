//! What providers read from the cluster.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroize;

use crate::answers::{MetadataOf, Objects, reason};
use crate::provider::{self, Asker, ClusterReadError, ClusterReader, CredentialValue};

/// How long the API server may take to answer.
const DEADLINE: Duration = Duration::from_secs(15);
/// The requested lifetime of a service account token, which is exchanged at once.
const TOKEN_SECONDS: i64 = 600;

/// Reads service accounts from a watch, if there is one, and everything else from the API server.
pub(crate) struct KubeReader {
    client: Client,
    asker: Asker,
    service_accounts: Option<Store<MetadataOf<ServiceAccount>>>,
}

impl KubeReader {
    /// The controller's reader, which uses a watch of service accounts.
    #[must_use]
    pub(crate) fn new(client: Client, service_accounts: Store<MetadataOf<ServiceAccount>>) -> Self {
        Self { client, asker: Asker::Controller, service_accounts: Some(service_accounts) }
    }

    /// A reader for a command that a person runs, which reads each object once and needs no watch.
    #[must_use]
    pub(crate) const fn of_person(client: Client) -> Self {
        Self { client, asker: Asker::Person, service_accounts: None }
    }

    /// Awaits a call, up to the deadline. Errors name the object.
    async fn bounded<T>(
        &self,
        verb: &'static str,
        object: impl Fn() -> String,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ClusterReadError> {
        let unavailable = |reason| ClusterReadError::Unavailable { object: object(), reason };
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                Err(ClusterReadError::NotFound { object: object() })
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                Err(ClusterReadError::Forbidden { asker: self.asker, verb, object: object() })
            }
            Ok(Err(error)) => Err(unavailable(reason(&error))),
            Err(_) => Err(unavailable(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }
}

#[async_trait]
impl ClusterReader for KubeReader {
    async fn service_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<provider::ServiceAccount>, ClusterReadError> {
        let reference = ObjectRef::new(name).within(namespace);
        if let Some(account) = self.service_accounts.as_ref().and_then(|watched| watched.get(&reference)) {
            return Ok(Some(view(&account)));
        }
        // The watch may lag behind: only the API server knows that an account does not exist.
        let object = || format!("service account {name:?} in namespace {namespace:?}");
        let api: Objects<ServiceAccount> = Objects::namespaced(self.client.clone(), namespace, &());
        let account = self.bounded("get", object, api.get_metadata_opt(name)).await?;
        Ok(account.as_ref().map(view))
    }

    async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, ClusterReadError> {
        let object = || format!("service account {name:?} in namespace {namespace:?}");
        let api: Objects<ServiceAccount> = Objects::namespaced(self.client.clone(), namespace, &());
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audiences.to_vec(),
                expiration_seconds: Some(TOKEN_SECONDS),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let call = api.ask::<TokenAnswer>(name, "token", &request);
        let answer = self.bounded("create a token for", object, call).await?;
        match answer.status {
            Some(status) => Ok(status.token.into()),
            None => Err(ClusterReadError::Unavailable { object: object(), reason: "no token in its answer".into() }),
        }
    }

    async fn secret_key(&self, namespace: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError> {
        let object = || format!("Secret {name:?} in namespace {namespace:?}");
        let api: Objects<Secret> = Objects::namespaced(self.client.clone(), namespace, &());
        let mut secret = self.bounded("get", object, api.get(name)).await?;
        let mut found = None;
        for (name, value) in secret.data.iter_mut().flatten() {
            if name == key {
                found = Some(std::mem::take(&mut value.0));
            }
            value.0.zeroize();
        }
        let value =
            found.ok_or_else(|| ClusterReadError::NotFound { object: format!("key {key:?} of {}", object()) })?;
        Ok(CredentialValue {
            value: std::sync::Arc::new(value.into()),
            uid: secret.metadata.uid.unwrap_or_default(),
            resource_version: secret.metadata.resource_version.unwrap_or_default(),
        })
    }
}

/// The part of the answer to a `TokenRequest` that is used.
#[derive(Deserialize)]
struct TokenAnswer {
    status: Option<Token>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

fn view(account: &MetadataOf<ServiceAccount>) -> provider::ServiceAccount {
    provider::ServiceAccount {
        uid: account.metadata.uid.clone().unwrap_or_default(),
        annotations: account.metadata.annotations.clone().unwrap_or_default(),
    }
}
