//! The last step of every request that the Azure SDK sends: requests leave only for the intended host, answers are
//! bounded, and each failure becomes a [`Diagnosis`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::Bytes;
use azure_core::http::headers::{AUTHORIZATION, CONTENT_TYPE, HeaderName, Headers, RETRY_AFTER, WWW_AUTHENTICATE};
use azure_core::http::response::PinnedStream;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Method, Request, RetryOptions, StatusCode, Transport, UserAgentOptions,
};
use futures::StreamExt;
use url::{Host, Url};
use zeroize::{Zeroize, Zeroizing};

use super::diagnose::{Cause, Diagnosis, entra, network, registry, vault};
use super::memory::FREE_ANSWER;
use crate::provider::shares::Share;

/// The largest answer of a vault that is read. A secret has at most 25 KB, and a page of a list 25 items.
const LARGEST_ANSWER: usize = 1 << 20;

/// The largest answer of an authority that is read. A token has a few KB.
const LARGEST_TOKEN: usize = 64 << 10;

/// The most values in the JSON of an answer. Each takes far more memory than its text; a page of 25 secrets has fewer
/// than a thousand.
const MOST_ELEMENTS: usize = 10_000;

/// The kind of server that a transport talks to.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// An authority of Entra ID.
    Authority,
    /// A vault that accepts tokens for this resource.
    Vault {
        /// The cloud's resource, without a trailing slash.
        resource: String,
    },
    /// The machine's identity endpoint.
    Machine,
    /// A container registry.
    Registry,
}

/// An [`HttpClient`] that reaches one host.
#[derive(Debug)]
pub(super) struct Pinned {
    client: Arc<dyn HttpClient>,
    origin: Origin,
    peer: Peer,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: Option<Host<String>>,
    port: Option<u16>,
}

impl Origin {
    fn of(url: &Url) -> Self {
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host().map(|host| host.to_owned()),
            port: url.port_or_known_default(),
        }
    }
}

impl Peer {
    const fn largest_answer(&self) -> usize {
        match self {
            Self::Vault { .. } | Self::Registry => LARGEST_ANSWER,
            Self::Authority | Self::Machine => LARGEST_TOKEN,
        }
    }
}

impl Pinned {
    /// A transport to the host of `url` only.
    pub(super) fn to(url: &Url, peer: Peer, client: Arc<dyn HttpClient>) -> Arc<Self> {
        Arc::new(Self { client, origin: Origin::of(url), peer })
    }

    /// The options of an SDK client that uses it. The SDK does not retry: its retries wait as long as a server says,
    /// even an hour, and the gate and the controllers know better when to retry.
    pub(super) fn into_client_options(self: Arc<Self>) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(self)),
            retry: RetryOptions::none(),
            user_agent: UserAgentOptions { application_id: Some("external-secrets".to_owned()) },
            ..Default::default()
        }
    }

    fn host(&self) -> String {
        self.origin.host.as_ref().map_or_else(String::new, ToString::to_string)
    }

    /// Sends a request. The memory of a large answer is charged to `memory`.
    ///
    /// # Errors
    /// If the status is not 200.
    pub(super) async fn send(
        &self,
        request: &Request,
        memory: Option<&Mutex<Share>>,
    ) -> Result<AsyncRawResponse, Diagnosis> {
        self.check_host(request)?;
        if let Some(challenge) = self.challenge(request) {
            return Ok(challenge);
        }
        let (headers, body) = self.answer(request, memory).await?;
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, headers, Bytes::from_owner(body)))
    }

    /// Posts a form, which may contain secrets, to a path of the host. Returns the body of the answer.
    ///
    /// # Errors
    /// If the status is not 200.
    pub(super) async fn post(&self, url: Url, form: Zeroizing<String>) -> Result<Zeroizing<Vec<u8>>, Diagnosis> {
        let mut request = Request::new(url, Method::Post);
        request.insert_header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.set_body(Bytes::from_owner(form));
        self.check_host(&request)?;
        Ok(self.answer(&request, None).await?.1)
    }

    async fn answer(
        &self,
        request: &Request,
        memory: Option<&Mutex<Share>>,
    ) -> Result<(Headers, Zeroizing<Vec<u8>>), Diagnosis> {
        let response =
            self.client.execute_request(request).await.map_err(|error| network::failure(&self.host(), &error))?;
        let (status, headers, body) = response.deconstruct();
        let body = self.bounded(body.boxed(), memory).await?;
        // Nothing that is requested here has another successful status. In an error, the SDK would quote the body.
        if status != StatusCode::Ok {
            return Err(self.refusal(status, &headers, &body));
        }
        if has_too_many_elements(&body) {
            return Err(self.too_large(format_args!("{MOST_ELEMENTS} values")));
        }
        Ok((headers, body))
    }

    fn check_host(&self, request: &Request) -> Result<(), Diagnosis> {
        let foreign = Origin::of(request.url());
        if foreign == self.origin {
            return Ok(());
        }
        Err(Diagnosis::new(
            Cause::ForeignHost,
            format!(
                "a request for {} was not sent: it is not {}",
                foreign.host.map_or_else(String::new, |host| host.to_string()),
                self.host()
            ),
        ))
    }

    fn too_large(&self, more_than: std::fmt::Arguments<'_>) -> Diagnosis {
        let message = format!("{} sent an answer of more than {more_than}", self.host());
        Diagnosis::new(Cause::AnswerTooLarge, message)
            .hint("this is not an answer from Azure: check what its name resolves to")
    }

    /// The challenge with which a vault answers a request without a token. The SDK sends its first request without one
    /// to learn which token the vault requires. The store's cloud already determines that. Answering here saves a round
    /// trip per client, and a vault cannot ask for a token for another resource.
    fn challenge(&self, request: &Request) -> Option<AsyncRawResponse> {
        let Peer::Vault { resource } = &self.peer else { return None };
        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            return None;
        }
        let mut headers = Headers::new();
        headers.insert(WWW_AUTHENTICATE, format!("Bearer resource=\"{resource}\""));
        Some(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, Bytes::new()))
    }

    /// Reads a body. Wipes the buffers if nobody else holds them, because the body may contain a secret.
    async fn bounded(
        &self,
        mut stream: PinnedStream,
        memory: Option<&Mutex<Share>>,
    ) -> Result<Zeroizing<Vec<u8>>, Diagnosis> {
        let largest = self.peer.largest_answer();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| network::failure(&self.host(), &error))?;
            let length = body.len() + chunk.len();
            if length > largest {
                return Err(self.too_large(format_args!("{largest} bytes")));
            }
            if let (true, Some(memory)) = (length > FREE_ANSWER, memory) {
                reserve(memory, length)?;
            }
            append(&mut body, &chunk);
            wipe(chunk);
        }
        Ok(body)
    }

    fn refusal(&self, status: StatusCode, headers: &Headers, body: &[u8]) -> Diagnosis {
        let status = u16::from(status);
        let wait = retry_after(headers);
        match self.peer {
            Peer::Authority => entra::refusal(&self.host(), status, wait, body),
            Peer::Vault { .. } => vault::refusal(status, wait, body),
            Peer::Machine => entra::machine_refusal(status, wait, body),
            Peer::Registry => registry::refusal(&self.host(), status, wait, body),
        }
    }
}

#[async_trait]
impl HttpClient for Pinned {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.send(request, None).await.map_err(Diagnosis::into_sdk)
    }
}

/// Reserves memory for a body of this length: for the buffer, which doubles as it grows, and for what is parsed from
/// it.
fn reserve(memory: &Mutex<Share>, length: usize) -> Result<(), Diagnosis> {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = (2 * length.next_power_of_two()).saturating_sub(memory.amount());
    if missing == 0 || memory.try_grow(missing) { Ok(()) } else { Err(crowded()) }
}

/// The error if there is no memory for an answer.
pub(super) fn crowded() -> Diagnosis {
    Diagnosis::new(
        Cause::AnswersCrowded,
        "the answers being read have reached their shared memory limit, half of which one namespace may use",
    )
    .hint("the controller retries; if it lasts, let large ExternalSecrets read less")
}

/// Whether a text has more values than [`MOST_ELEMENTS`], if it is JSON.
fn has_too_many_elements(json: &[u8]) -> bool {
    let (mut elements, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' if !in_text => elements += 1,
            _ => {}
        }
    }
    elements > MOST_ELEMENTS
}

/// Appends to a buffer. If that reallocates it, the old one is wiped.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

/// Wipes a buffer that nobody else holds.
pub(super) fn wipe(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

/// How long a server asks to wait: milliseconds in Azure's own headers, seconds or a date in HTTP's (RFC 9110, section
/// 10.2.3).
fn retry_after(headers: &Headers) -> Option<Duration> {
    const MILLISECONDS: [HeaderName; 2] =
        [HeaderName::from_static("retry-after-ms"), HeaderName::from_static("x-ms-retry-after-ms")];
    let milliseconds = MILLISECONDS
        .iter()
        .find_map(|name| headers.get_optional_str(name)?.trim().parse().ok())
        .map(Duration::from_millis);
    milliseconds.or_else(|| {
        let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        let seconds = at.as_second() - jiff::Timestamp::now().as_second();
        Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;
    use rstest::rstest;

    use super::super::tests::azure::Azure;
    use super::*;

    fn headers(name: &'static str, value: &str) -> Headers {
        let mut headers = Headers::new();
        headers.insert(name, value.to_owned());
        headers
    }

    #[rstest]
    #[case::seconds("retry-after", "7", Some(7_000))]
    #[case::milliseconds("x-ms-retry-after-ms", "250", Some(250))]
    #[case::past("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", Some(0))]
    #[case::words("retry-after", "soon", None)]
    #[case::negative("retry-after", "-1", None)]
    #[case::huge("retry-after", "99999999999999999999999", None)]
    fn a_wait_is_read_in_all_its_forms(#[case] name: &'static str, #[case] value: &str, #[case] expected: Option<u64>) {
        assert_eq!(retry_after(&headers(name, value)), expected.map(Duration::from_millis));
    }

    #[test]
    fn a_date_to_come_is_a_wait() {
        let at = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC) + jiff::SignedDuration::from_secs(100);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at.timestamp()).unwrap();
        let wait = retry_after(&headers("retry-after", &date)).unwrap();
        assert!((90..=100).contains(&wait.as_secs()), "{wait:?}");
    }

    fn pinned(azure: &Arc<Azure>) -> Arc<Pinned> {
        let url = Url::parse("https://my-vault.vault.azure.net/").unwrap();
        let peer = Peer::Vault { resource: "https://vault.azure.net".to_owned() };
        Pinned::to(&url, peer, Arc::clone(azure) as _)
    }

    #[rstest]
    #[case("https://other.vault.azure.net/secrets")]
    #[case("https://my-vault.vault.azure.net:8443/secrets")]
    #[case("http://my-vault.vault.azure.net/secrets")]
    #[case("https://my-vault.vault.azure.net.evil.example/secrets")]
    #[tokio::test]
    async fn a_request_for_another_host_is_not_sent(#[case] url: &str) {
        let azure = Azure::new();
        let mut request = Request::new(Url::parse(url).unwrap(), Method::Get);
        request.insert_header(AUTHORIZATION, "Bearer t");
        let refused = pinned(&azure).send(&request, None).await.unwrap_err();
        assert_eq!(refused.cause, Cause::ForeignHost);
        assert!(azure.all().is_empty());
    }

    #[tokio::test]
    async fn a_request_without_a_token_is_answered_with_the_clouds_challenge() {
        let azure = Azure::new();
        let request = Request::new(Url::parse("https://my-vault.vault.azure.net/secrets").unwrap(), Method::Get);
        let answer = pinned(&azure).send(&request, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::Unauthorized);
        let challenge = answer.headers().get_optional_str(&WWW_AUTHENTICATE);
        assert_eq!(challenge, Some("Bearer resource=\"https://vault.azure.net\""));
        assert!(azure.all().is_empty());
    }

    #[rstest]
    #[case::at_the_bound(format!("[{}0]", "0,".repeat(MOST_ELEMENTS)), false)]
    #[case::above_it(format!("[{}0]", "0,".repeat(MOST_ELEMENTS + 1)), true)]
    #[case::in_a_text(format!("[\"{}\"]", ",\\\"".repeat(MOST_ELEMENTS + 1)), false)]
    fn values_of_an_answer_are_counted(#[case] json: String, #[case] expected: bool) {
        assert_eq!(has_too_many_elements(json.as_bytes()), expected);
    }

    #[test]
    fn a_growing_buffer_keeps_what_is_in_it() {
        let mut body = Zeroizing::new(Vec::new());
        for chunk in [b"ab".as_slice(), b"", b"cde", &[b'x'; 100]] {
            append(&mut body, chunk);
        }
        assert_eq!(body.len(), 105);
        assert!(body.starts_with(b"abcdex"));
    }
}
