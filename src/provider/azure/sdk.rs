//! The Azure SDK's clients of one vault, one for each kind of object. Each call here is one request, with the token that
//! it is given.

mod writes;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::Bytes;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::headers::{AUTHORIZATION, Headers};
use azure_core::http::pager::PagerOptions;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::response::ResponseBody;
use azure_core::http::{ClientMethodOptions, ClientOptions, Context, HttpClient, Request, StatusCode};
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_certificates::models::CertificateClientGetCertificateOptions;
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::models::KeyClientGetKeyOptions;
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::models::{SecretClientGetSecretOptions, SecretClientListSecretPropertiesOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use futures::StreamExt as _;

use super::answer::Object;
use super::cloud::Cloud;
use super::diagnose::Diagnosis;
use super::endpoint::VaultEndpoint;
use super::list::{NextPage, Page};
use super::object::{ObjectId, ObjectKind};
use super::transport::{Peer, Pinned};
use crate::provider::shares::Share;

/// What accompanies a request on its way through the SDK.
#[derive(Debug)]
pub(super) struct Errand {
    token: AccessToken,
    /// For a large answer.
    memory: Mutex<Share>,
}

impl Errand {
    /// With the token to present, and the memory to charge the answer to.
    pub(super) fn new(token: AccessToken, memory: Share) -> Arc<Self> {
        Arc::new(Self { token, memory: Mutex::new(memory) })
    }

    /// The memory for the `bytes` of the answer that are kept.
    fn memory_for(&self, bytes: usize) -> Share {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let none = memory.of_none();
        memory.shrink_to(bytes);
        std::mem::replace(&mut *memory, none)
    }
}

fn context(errand: &Arc<Errand>) -> Context<'static> {
    Context::new().with_value(Arc::clone(errand))
}

fn options_of(errand: &Arc<Errand>) -> ClientMethodOptions<'static> {
    ClientMethodOptions { context: context(errand) }
}

/// Gives the SDK the token of the request that it is about to send. An exchange at this point would hold a place at the
/// vault's gate.
#[derive(Debug)]
struct TokenOfErrand;

#[async_trait]
impl TokenCredential for TokenOfErrand {
    /// The scope is that of the store's cloud, whatever the vault asks for. The token is declared expired, so that the
    /// SDK's client asks again for each request.
    async fn get_token(&self, _: &[&str], options: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let options = options.unwrap_or_default();
        let given = options.method_options.context.value::<Arc<Errand>>().map(|errand| errand.token.clone());
        let token =
            given.ok_or_else(|| azure_core::Error::with_message(ErrorKind::Credential, "no token was given"))?;
        Ok(AccessToken { expires_on: OffsetDateTime::now_utc(), ..token })
    }
}

/// The last step of the SDK's pipeline, which has access to the errand.
#[derive(Debug)]
struct Sender(Arc<Pinned>);

#[async_trait]
impl Policy for Sender {
    #[allow(elided_lifetimes_in_paths, reason = "as the trait has it")]
    async fn send(&self, ctx: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let errand = ctx.value::<Arc<Errand>>();
        let is_authorized = request.headers().get_optional_str(&AUTHORIZATION).is_some();
        if let (true, Some(errand)) = (is_authorized, errand) {
            // The SDK's client may have used the token of another concurrent request.
            request.insert_header(AUTHORIZATION, format!("Bearer {}", errand.token.token.secret()));
        }
        self.0.send(request, errand.map(|errand| &errand.memory)).await.map_err(Diagnosis::into_sdk)
    }
}

/// The clients of one vault.
pub(super) struct Sdk {
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Sdk {
    /// Clients that send requests only to that vault.
    pub(super) fn new(endpoint: &VaultEndpoint, cloud: &Cloud, http: &Arc<dyn HttpClient>) -> Result<Self, Diagnosis> {
        let url = endpoint.url()?;
        let pinned = || -> ClientOptions {
            let peer = Peer::Vault { resource: cloud.resource.clone() };
            let pinned = Pinned::to(&url, peer, Arc::clone(http));
            let sender = Arc::new(Sender(Arc::clone(&pinned)));
            ClientOptions { per_try_policies: vec![sender], ..pinned.into_client_options() }
        };
        // The challenge is our own, and in a custom cloud the resource need not be a suffix of the vault's host.
        let verify_challenge_resource = Some(false);
        let secrets = SecretClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let keys = KeyClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let certificates =
            CertificateClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let refused = |error: azure_core::Error| Diagnosis::from_sdk(&error);
        let credential = || Arc::new(TokenOfErrand) as _;
        Ok(Self {
            secrets: SecretClient::new(url.as_str(), credential(), Some(secrets)).map_err(refused)?,
            keys: KeyClient::new(url.as_str(), credential(), Some(keys)).map_err(refused)?,
            certificates: CertificateClient::new(url.as_str(), credential(), Some(certificates)).map_err(refused)?,
        })
    }

    /// Reads one object.
    pub(super) async fn get(&self, id: &ObjectId, errand: &Arc<Errand>) -> Result<Object, Diagnosis> {
        let (headers, body) = self.bundle(id, errand).await.map_err(|error| Diagnosis::from_sdk(&error))?;
        let object = Object::parse(id, &headers, body)?;
        let memory = errand.memory_for(object.size());
        Ok(object.with_memory(memory))
    }

    async fn bundle(&self, id: &ObjectId, errand: &Arc<Errand>) -> azure_core::Result<(Headers, Bytes)> {
        let (version, method_options) = (id.version.clone(), options_of(errand));
        Ok(match id.kind {
            ObjectKind::Secret => {
                let options =
                    SecretClientGetSecretOptions { secret_version: version, method_options, ..Default::default() };
                parts(self.secrets.get_secret(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, method_options };
                parts(self.keys.get_key(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Certificate => {
                let options = CertificateClientGetCertificateOptions { certificate_version: version, method_options };
                parts(self.certificates.get_certificate(&id.name, Some(options)).await?.deconstruct())
            }
        })
    }

    /// Reads one page of the list of secrets: the first, or the one that an earlier page named.
    pub(super) async fn page(&self, from: Option<NextPage>, errand: &Arc<Errand>) -> Result<Page, Diagnosis> {
        let options = SecretClientListSecretPropertiesOptions {
            method_options: PagerOptions { continuation: from, context: context(errand) },
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
