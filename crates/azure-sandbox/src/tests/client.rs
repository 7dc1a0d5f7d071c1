//! A client that knows only what a real one does: the proxy and the CA.

use reqwest::{Certificate, Method, Proxy, Response, StatusCode};
use serde_json::{Value, json};

use crate::{Application, Sandbox};

pub(super) const API_VERSION: &str = "api-version=7.6";

pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn new(sandbox: &Sandbox) -> Self {
        Self(Self::builder(sandbox).build().unwrap())
    }

    pub(super) fn builder(sandbox: &Sandbox) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .proxy(Proxy::https(sandbox.proxy_url()).unwrap())
            .tls_certs_only([Certificate::from_pem(sandbox.ca_bundle().as_bytes()).unwrap()])
            .redirect(reqwest::redirect::Policy::none())
    }

    pub(super) async fn get(&self, url: &str) -> Answer {
        Answer::of(self.0.get(url).send().await.unwrap()).await
    }

    /// Requests a token from Entra ID with an assertion.
    pub(super) async fn exchange(&self, tenant: &str, client_id: &str, assertion: &str) -> Answer {
        self.exchange_for(tenant, &assertion_form(client_id, assertion)).await
    }

    /// Requests a token from Entra ID with a form.
    pub(super) async fn exchange_for(&self, tenant: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        self.post_form(&url, url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()).await
    }

    pub(super) async fn post_form(&self, url: &str, form: String) -> Answer {
        let request = self.0.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        Answer::of(request.send().await.unwrap()).await
    }

    pub(super) async fn send(&self, url: &str) -> reqwest::Result<Response> {
        self.plain(url).send().await
    }

    /// A request without a token.
    pub(super) fn plain(&self, url: &str) -> reqwest::RequestBuilder {
        self.0.get(url)
    }

    pub(super) async fn token(&self, application: &Application, assertion: &str) -> String {
        let answer = self.exchange(application.tenant().id(), application.client_id(), assertion).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A request to a vault with a token; `path` is without the API version.
    pub(super) async fn call(&self, method: Method, url: &str, token: &str, body: Option<Value>) -> Answer {
        Answer::of(self.request(method, url, token, body).send().await.unwrap()).await
    }

    pub(super) fn request(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: Option<Value>,
    ) -> reqwest::RequestBuilder {
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = if url.contains("api-version") { url.to_owned() } else { format!("{url}{separator}{API_VERSION}") };
        let request = self.0.request(method, url).bearer_auth(token);
        match body {
            None => request,
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        }
    }

    /// Reads with a token.
    pub(super) async fn read(&self, url: &str, token: &str) -> Answer {
        self.call(Method::GET, url, token, None).await
    }

    /// Sets a secret with a token.
    pub(super) async fn set(&self, url: &str, token: &str, value: &str) -> Answer {
        self.call(Method::PUT, url, token, Some(json!({ "value": value }))).await
    }
}

pub(super) fn assertion_form<'a>(client_id: &'a str, assertion: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("scope", "https://vault.azure.net/.default"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ]
}

/// An answer with its JSON body; `Null` where it has none.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    pub(super) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
        Self { status, headers, body }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status, `error.code`, `error.innererror.code` and `error.message` of a vault's refusal.
    pub(super) fn refusal<'a>(&'a self) -> (u16, &'a str, &'a str, &'a str) {
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        let error = &self.body["error"];
        (self.status.as_u16(), text(&error["code"]), text(&error["innererror"]["code"]), text(&error["message"]))
    }

    /// Entra ID's number of a refusal.
    pub(super) fn aadsts(&self) -> u64 {
        self.body["error_codes"][0].as_u64().unwrap_or_default()
    }
}
