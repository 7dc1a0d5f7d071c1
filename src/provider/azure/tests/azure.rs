//! Azure and the cluster, played by closures.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::Bytes;
use azure_core::http::headers::{AUTHORIZATION, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use secrecy::{SecretSlice, SecretString};

use crate::provider::{ClusterReadError, ClusterReader, CredentialValue, ServiceAccount};

/// A request that arrived.
#[derive(Clone, Debug)]
pub(in crate::provider::azure) struct Seen {
    pub(in crate::provider::azure) host: String,
    pub(in crate::provider::azure) path: String,
    pub(in crate::provider::azure) query: String,
    pub(in crate::provider::azure) token: Option<String>,
    pub(in crate::provider::azure) body: String,
}

impl Seen {
    fn of(request: &Request) -> Self {
        let body = match request.body() {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Body::SeekableStream(_) => panic!("nothing is streamed"),
        };
        Self {
            host: request.url().host_str().unwrap().to_owned(),
            path: request.url().path().to_owned(),
            query: request.url().query().unwrap_or_default().to_owned(),
            token: request.headers().get_optional_string(&AUTHORIZATION),
            body,
        }
    }
}

/// Stands for a connection that is refused.
const NO_CONNECTION: u16 = 0;

/// An answer.
pub(in crate::provider::azure) struct Reply {
    status: u16,
    headers: Headers,
    body: Option<Bytes>,
}

impl Reply {
    pub(in crate::provider::azure) fn status(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: Some(Bytes::new()) }
    }

    pub(in crate::provider::azure) fn json(value: &serde_json::Value) -> Self {
        Self::status(200).with_json(value)
    }

    pub(in crate::provider::azure) fn secret(request: &Seen) -> Self {
        let name = request.path.split('/').nth(2).unwrap();
        Self::json(
            &serde_json::json!({ "value": format!("value of {name}"), "id": "https://v/secrets/x/1", "attributes": {"enabled": true} }),
        )
    }

    pub(in crate::provider::azure) fn endless() -> Self {
        Self { body: None, ..Self::status(200) }
    }

    /// No answer: nothing listens there.
    pub(in crate::provider::azure) fn refused_connection() -> Self {
        Self::status(NO_CONNECTION)
    }

    pub(in crate::provider::azure) fn with_json(self, value: &serde_json::Value) -> Self {
        self.with_body(&value.to_string())
    }

    pub(in crate::provider::azure) fn with_body(self, body: &str) -> Self {
        Self { body: Some(Bytes::from(body.to_owned())), ..self }
    }

    pub(in crate::provider::azure) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, value);
        self
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// Entra ID, vaults and the machine's identity endpoint.
pub(in crate::provider::azure) struct Azure {
    entra: Mutex<Handler>,
    vault: Mutex<Handler>,
    seen: Mutex<Vec<Seen>>,
    tokens: Mutex<usize>,
}

impl Azure {
    /// All vaults have all secrets, and every identity gets a token.
    pub(in crate::provider::azure) fn new() -> Arc<Self> {
        Arc::new(Self {
            entra: Mutex::new(Arc::new(|_| Reply::status(200))),
            vault: Mutex::new(Arc::new(Reply::secret)),
            seen: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    pub(in crate::provider::azure) fn on_entra(&self, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.entra.lock().unwrap() = Arc::new(handler);
    }

    pub(in crate::provider::azure) fn on_vault(&self, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.vault.lock().unwrap() = Arc::new(handler);
    }

    pub(in crate::provider::azure) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(in crate::provider::azure) fn to(&self, host: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|request| request.host == host).collect()
    }

    /// Success without a body means a token.
    fn token(&self, reply: Reply) -> Reply {
        if reply.status != 200 {
            return reply;
        }
        let mut tokens = self.tokens.lock().unwrap();
        *tokens += 1;
        Reply::json(&serde_json::json!({
            "token_type": "Bearer", "expires_in": 3600, "access_token": format!("access-{tokens}"),
            "expires_on": "33000000000", "resource": "x",
        }))
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Azure")
    }
}

#[async_trait]
impl HttpClient for Azure {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let seen = Seen::of(request);
        self.seen.lock().unwrap().push(seen.clone());
        // Answers take a moment, so that requests can overlap.
        tokio::task::yield_now().await;
        let is_vault = seen.host.contains("vault") || seen.host.contains(".azurecr.");
        let handler = Arc::clone(&if is_vault { &self.vault } else { &self.entra }.lock().unwrap());
        let reply = handler(&seen);
        if reply.status == NO_CONNECTION {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            return Err(azure_core::Error::new(azure_core::error::ErrorKind::Io, refused));
        }
        let reply = if is_vault { reply } else { self.token(reply) };
        let status = StatusCode::from(reply.status);
        let Some(body) = reply.body else {
            let chunk = Bytes::from(vec![b' '; 64 << 10]);
            return Ok(AsyncRawResponse::new(status, reply.headers, futures::stream::repeat(chunk).map(Ok).boxed()));
        };
        Ok(AsyncRawResponse::from_bytes(status, reply.headers, body))
    }
}

/// The token of the service account `reader`.
pub(in crate::provider::azure) fn token() -> String {
    let payload = r#"{"iss":"https://issuer.example","sub":"system:serviceaccount:team-a:reader","aud":["api://AzureADTokenExchange"]}"#;
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

/// A cluster with one service account and one Secret in one namespace.
pub(in crate::provider::azure) struct FakeCluster {
    account: Mutex<Option<BTreeMap<String, String>>>,
    secret: Mutex<BTreeMap<String, (String, u32)>>,
    audiences: Mutex<Vec<Vec<String>>>,
}

impl FakeCluster {
    pub(in crate::provider::azure) fn with_reader() -> Arc<Self> {
        let annotation = |name: &str, value: &str| (format!("azure.workload.identity/{name}"), value.to_owned());
        Self::with_account([annotation("client-id", "the-client"), annotation("tenant-id", "the-tenant")].into())
    }

    pub(in crate::provider::azure) fn with_account(annotations: BTreeMap<String, String>) -> Arc<Self> {
        Arc::new(Self { account: Mutex::new(Some(annotations)), secret: Mutex::default(), audiences: Mutex::default() })
    }

    /// A cluster that answers nothing.
    pub(in crate::provider::azure) fn unavailable() -> Arc<Self> {
        Arc::new(Self { account: Mutex::new(None), secret: Mutex::default(), audiences: Mutex::default() })
    }

    pub(in crate::provider::azure) fn annotate(&self, name: &str, value: &str) {
        self.account.lock().unwrap().as_mut().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// Sets a key of the Secret; a different value creates a new version.
    pub(in crate::provider::azure) fn set_secret(&self, key: &str, value: &str) {
        let mut secret = self.secret.lock().unwrap();
        let entry = secret.entry(key.to_owned()).or_default();
        if entry.0 != value {
            *entry = (value.to_owned(), entry.1 + 1);
        }
    }

    /// How many tokens were requested.
    pub(in crate::provider::azure) fn tokens(&self) -> usize {
        self.audiences.lock().unwrap().len()
    }

    /// The audiences of the last token.
    pub(in crate::provider::azure) fn audiences(&self) -> Vec<String> {
        self.audiences.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

#[async_trait]
impl ClusterReader for FakeCluster {
    async fn service_account(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError> {
        match self.account.lock().unwrap().clone() {
            None => {
                let object = format!("ServiceAccount \"{name}\"");
                Err(ClusterReadError::Unavailable { object, reason: "it is down".to_owned() })
            }
            Some(annotations) if namespace == super::NAMESPACE && name == "reader" => {
                Ok(Some(ServiceAccount { uid: "uid-1".to_owned(), annotations }))
            }
            Some(_) => Ok(None),
        }
    }

    async fn service_account_token(
        &self,
        _: &str,
        _: &str,
        audiences: &[String],
    ) -> Result<SecretString, ClusterReadError> {
        self.audiences.lock().unwrap().push(audiences.to_vec());
        Ok(SecretString::from(token()))
    }

    async fn secret_key(&self, _: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError> {
        let secret = self.secret.lock().unwrap();
        let not_found = || ClusterReadError::NotFound { object: format!("key \"{key}\" of Secret \"{name}\"") };
        let (value, version) = secret.get(key).ok_or_else(not_found)?;
        Ok(CredentialValue {
            value: Arc::new(SecretSlice::from(value.clone().into_bytes())),
            uid: "uid-2".to_owned(),
            resource_version: version.to_string(),
        })
    }
}
