//! The Azure SDK's clients of one vault, one for each kind of object. Each call here is one request.

use std::sync::Arc;

use azure_core::Bytes;
use azure_core::http::headers::Headers;
use azure_core::http::pager::PagerOptions;
use azure_core::http::response::ResponseBody;
use azure_core::http::{ClientOptions, HttpClient, StatusCode};
use azure_security_keyvault_certificates::models::CertificateClientGetCertificateOptions;
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::models::KeyClientGetKeyOptions;
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::models::{SecretClientGetSecretOptions, SecretClientListSecretPropertiesOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use futures::StreamExt as _;

use super::answer::Object;
use super::cloud::Cloud;
use super::credential_cache::SharedCredential;
use super::diagnose::Diagnosis;
use super::endpoint::VaultEndpoint;
use super::list::{NextPage, Page};
use super::object::{ObjectId, ObjectKind};
use super::transport::{Peer, Pinned};

/// The clients of one vault for one credential.
pub(super) struct Sdk {
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Sdk {
    /// Clients whose requests leave for that vault alone.
    pub(super) fn new(
        endpoint: &VaultEndpoint,
        credential: &Arc<SharedCredential>,
        cloud: &Cloud,
        http: &Arc<dyn HttpClient>,
    ) -> Result<Self, Diagnosis> {
        let url = endpoint.url()?;
        let pinned = || -> ClientOptions {
            let peer = Peer::Vault { resource: cloud.resource.clone() };
            Pinned::to(&url, peer, Arc::clone(http)).into_client_options()
        };
        // The challenge is our own, and in a custom cloud the resource need not be a suffix of the vault's host.
        let verify_challenge_resource = Some(false);
        let secrets = SecretClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let keys = KeyClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let certificates =
            CertificateClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let refused = |error: azure_core::Error| Diagnosis::from_sdk(&error);
        let credential = || Arc::clone(credential) as _;
        Ok(Self {
            secrets: SecretClient::new(url.as_str(), credential(), Some(secrets)).map_err(refused)?,
            keys: KeyClient::new(url.as_str(), credential(), Some(keys)).map_err(refused)?,
            certificates: CertificateClient::new(url.as_str(), credential(), Some(certificates)).map_err(refused)?,
        })
    }

    /// One object.
    pub(super) async fn get(&self, id: &ObjectId) -> Result<Object, Diagnosis> {
        let (headers, body) = self.bundle(id).await.map_err(|error| Diagnosis::from_sdk(&error))?;
        Object::parse(id, &headers, body)
    }

    async fn bundle(&self, id: &ObjectId) -> azure_core::Result<(Headers, Bytes)> {
        let version = id.version.clone();
        Ok(match id.kind {
            ObjectKind::Secret => {
                let options = SecretClientGetSecretOptions { secret_version: version, ..Default::default() };
                parts(self.secrets.get_secret(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, ..Default::default() };
                parts(self.keys.get_key(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Certificate => {
                let options =
                    CertificateClientGetCertificateOptions { certificate_version: version, ..Default::default() };
                parts(self.certificates.get_certificate(&id.name, Some(options)).await?.deconstruct())
            }
        })
    }

    /// One page of the list of secrets: the first, or the one that an earlier page named.
    pub(super) async fn page(&self, from: Option<NextPage>) -> Result<Page, Diagnosis> {
        let options = SecretClientListSecretPropertiesOptions {
            method_options: PagerOptions { continuation: from, ..Default::default() },
            ..Default::default()
        };
        let refused = |error: azure_core::Error| Diagnosis::from_sdk(&error);
        let mut pages = self.secrets.list_secret_properties(Some(options)).map_err(refused)?.into_pages();
        match pages.next().await {
            Some(Ok(page)) => Page::parse(page.deconstruct().2.as_ref(), pages.into_continuation()),
            Some(Err(error)) => Err(refused(error)),
            None => Ok(Page::default()),
        }
    }
}

fn parts((_, headers, body): (StatusCode, Headers, ResponseBody)) -> (Headers, Bytes) {
    (headers, body.into())
}
