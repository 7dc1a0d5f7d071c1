//! The Azure SDK's clients of one vault, one for each kind of object. Each call here is one request, with the token that
//! it is given.

use std::sync::Arc;

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

/// The token of one request, on its way through the SDK.
#[derive(Debug)]
struct TokenOfRequest(AccessToken);

fn context(token: AccessToken) -> Context<'static> {
    Context::new().with_value(TokenOfRequest(token))
}

fn with_token(token: AccessToken) -> ClientMethodOptions<'static> {
    ClientMethodOptions { context: context(token) }
}

/// Gives the SDK the token of the request for which it asks. An exchange here would take place while the request holds a
/// place at the vault's gate.
#[derive(Debug)]
struct Given;

#[async_trait]
impl TokenCredential for Given {
    /// The scope is that of the store's cloud, whatever a vault asks for. The token is called old, so that the SDK's
    /// client asks again at each request.
    async fn get_token(
        &self,
        _: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let options = options.unwrap_or_default();
        let given = options.method_options.context.value::<TokenOfRequest>().map(|given| given.0.clone());
        let token = given.ok_or_else(|| azure_core::Error::with_message(ErrorKind::Credential, "no token was given"))?;
        Ok(AccessToken { expires_on: OffsetDateTime::now_utc(), ..token })
    }
}

#[async_trait]
impl Policy for Given {
    /// The SDK's client may have taken the token of another request that was under way.
    #[allow(elided_lifetimes_in_paths, reason = "as the trait has it")]
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let is_authorized = request.headers().get_optional_str(&AUTHORIZATION).is_some();
        if let (true, Some(TokenOfRequest(token))) = (is_authorized, ctx.value()) {
            request.insert_header(AUTHORIZATION, format!("Bearer {}", token.token.secret()));
        }
        next[0].send(ctx, request, &next[1..]).await
    }
}

/// The clients of one vault.
pub(super) struct Sdk {
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Sdk {
    /// Clients whose requests leave for that vault alone.
    pub(super) fn new(
        endpoint: &VaultEndpoint,
        cloud: &Cloud,
        http: &Arc<dyn HttpClient>,
    ) -> Result<Self, Diagnosis> {
        let url = endpoint.url()?;
        let pinned = || -> ClientOptions {
            let peer = Peer::Vault { resource: cloud.resource.clone() };
            let options = Pinned::to(&url, peer, Arc::clone(http)).into_client_options();
            ClientOptions { per_try_policies: vec![Arc::new(Given)], ..options }
        };
        // The challenge is our own, and in a custom cloud the resource need not be a suffix of the vault's host.
        let verify_challenge_resource = Some(false);
        let secrets = SecretClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let keys = KeyClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let certificates =
            CertificateClientOptions { client_options: pinned(), verify_challenge_resource, ..Default::default() };
        let refused = |error: azure_core::Error| Diagnosis::from_sdk(&error);
        let credential = || Arc::new(Given) as _;
        Ok(Self {
            secrets: SecretClient::new(url.as_str(), credential(), Some(secrets)).map_err(refused)?,
            keys: KeyClient::new(url.as_str(), credential(), Some(keys)).map_err(refused)?,
            certificates: CertificateClient::new(url.as_str(), credential(), Some(certificates)).map_err(refused)?,
        })
    }

    /// One object.
    pub(super) async fn get(&self, id: &ObjectId, token: AccessToken) -> Result<Object, Diagnosis> {
        let (headers, body) = self.bundle(id, token).await.map_err(|error| Diagnosis::from_sdk(&error))?;
        Object::parse(id, &headers, body)
    }

    async fn bundle(&self, id: &ObjectId, token: AccessToken) -> azure_core::Result<(Headers, Bytes)> {
        let (version, method_options) = (id.version.clone(), with_token(token));
        Ok(match id.kind {
            ObjectKind::Secret => {
                let options = SecretClientGetSecretOptions { secret_version: version, method_options, ..Default::default() };
                parts(self.secrets.get_secret(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, method_options };
                parts(self.keys.get_key(&id.name, Some(options)).await?.deconstruct())
            }
            ObjectKind::Certificate => {
                let options =
                    CertificateClientGetCertificateOptions { certificate_version: version, method_options };
                parts(self.certificates.get_certificate(&id.name, Some(options)).await?.deconstruct())
            }
        })
    }

    /// One page of the list of secrets: the first, or the one that an earlier page named.
    pub(super) async fn page(&self, from: Option<NextPage>, token: AccessToken) -> Result<Page, Diagnosis> {
        let options = SecretClientListSecretPropertiesOptions {
            method_options: PagerOptions { continuation: from, context: context(token) },
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
