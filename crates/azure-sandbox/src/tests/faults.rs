use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::{Clock, Effect, Fault, Limit};

/// A vault with a secret, and how to read it.
struct Read {
    world: World,
    vault: Vault,
    token: String,
}

impl Read {
    async fn with(config: Config) -> Self {
        let world = World::with(config).await;
        let (vault, token) = (world.vault(), world.token().await);
        vault.set_secret("a", "one").unwrap();
        Self { world, vault, token }
    }

    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    fn url(&self) -> String {
        format!("{}/secrets/a", self.vault.url())
    }

    fn request(&self) -> reqwest::RequestBuilder {
        self.world.client.request(Method::GET, &self.url(), &self.token, None)
    }

    async fn status(&self) -> StatusCode {
        self.world.client.read(&self.url(), &self.token).await.status
    }
}

#[tokio::test]
async fn a_throttled_request_gets_429_with_or_without_retry_after() {
    let read = Read::new().await;
    read.vault.fault(Fault::throttle(Some(30)).times(1));
    let answer = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!(
        answer.refusal(),
        (
            429,
            "Throttled",
            "",
            "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
        )
    );
    assert_eq!(answer.header("retry-after"), "30");
    read.vault.fault(Fault::throttle(None).times(1));
    let answer = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, ""));
    assert_eq!(read.status().await, StatusCode::OK);
    let counters = read.vault.counters();
    assert_eq!((counters.throttled, counters.secret_reads("a"), counters.requests), (2, 1, 3));
}

#[tokio::test]
async fn a_limit_counts_served_requests_in_ten_seconds() {
    let (clock, offset) = Clock::adjustable();
    let read = Read::with(Config { clock, ..Config::default() }).await;
    read.vault.set_limit(Some(Limit::per_ten_seconds(2)));
    assert_eq!(read.status().await, StatusCode::OK);
    assert_eq!(read.status().await, StatusCode::OK);
    let refused = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "2"));
    offset.advance(10);
    assert_eq!(read.status().await, StatusCode::OK);
    read.vault.set_limit(None);
    assert_eq!(read.status().await, StatusCode::OK);
    assert_eq!(read.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_vault_is_down_until_the_fault_is_lifted() {
    let read = Read::new().await;
    let down = read.vault.fault(Fault::status(503));
    assert_eq!(read.status().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(read.status().await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(read.vault.lift(down));
    assert_eq!(read.status().await, StatusCode::OK);
    assert_eq!(read.vault.counters().operation("GetSecret"), 1, "a request that failed was not served");
}

#[tokio::test]
async fn an_answer_comes_later_by_the_latency() {
    let read = Read::new().await;
    read.vault.fault(Fault::latency(Duration::from_millis(80)));
    let start = Instant::now();
    assert_eq!(read.status().await, StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_dropped_connection_has_or_has_not_had_its_effect() {
    let read = Read::new().await;
    let write = async |value: &str| {
        let body = Some(json!({ "value": value }));
        read.world.client.request(Method::PUT, &read.url(), &read.token, body).send().await
    };
    read.vault.fault(Fault::new(Effect::DropBefore).on("SetSecret").times(1));
    assert!(write("two").await.is_err());
    assert_eq!(read.world.client.read(&read.url(), &read.token).await.body["value"], "one");
    read.vault.fault(Fault::new(Effect::DropAfter).on("SetSecret").times(1));
    assert!(write("three").await.is_err());
    assert_eq!(read.world.client.read(&read.url(), &read.token).await.body["value"], "three");
}

#[tokio::test]
async fn a_slow_body_comes_whole_but_late() {
    let read = Read::new().await;
    read.vault.fault(Fault::new(Effect::SlowBody(2000)).times(1));
    let start = Instant::now();
    let answer = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!(answer.body["value"], "one");
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn an_endless_body_never_ends() {
    let read = Read::new().await;
    read.vault.fault(Fault::new(Effect::EndlessBody).times(1));
    let mut body = reqwest::Body::from(read.request().send().await.unwrap());
    let mut received = 0;
    while received < 5_000_000 {
        let frame = body.frame().await.expect("the body must go on").unwrap();
        let Some(data) = frame.data_ref() else { continue };
        received += data.len();
    }
}

#[tokio::test]
async fn a_hostile_vault_redirects_names_foreign_pages_and_sends_huge_headers() {
    let read = Read::new().await;
    read.vault.fault(Fault::new(Effect::Redirect("https://thief.example/".to_owned())).times(1));
    let answer = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "https://thief.example/"));

    for index in 0..26 {
        read.vault.set_secret(&format!("s{index}"), "x").unwrap();
    }
    read.vault.fault(Fault::new(Effect::NextLink("https://thief.example/next".to_owned())).times(1));
    let page = read.world.client.read(&format!("{}/secrets", read.vault.url()), &read.token).await;
    assert_eq!(page.body["nextLink"], "https://thief.example/next");

    read.vault.fault(Fault::new(Effect::HugeHeader(8_000)).times(1));
    let answer = read.world.client.read(&read.url(), &read.token).await;
    assert_eq!(answer.header("x-ms-filler").len(), 8_000);
}

/// The error of reconnecting. The first request may still use the old connection and see it end.
async fn connect_error(request: impl Fn() -> reqwest::RequestBuilder) -> String {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let outcome = request().send().await;
        match &outcome {
            Err(error) if error.is_connect() => return format!("{error:?}"),
            _ => assert!(Instant::now() < deadline, "still the old connection: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_wrong_certificate_is_seen_even_by_a_client_that_was_connected() {
    let read = Read::new().await;
    assert_eq!(read.status().await, StatusCode::OK);
    let fault = read.vault.fault(Fault::new(Effect::WrongCertificate));
    let error = connect_error(|| read.request()).await;
    assert!(error.contains("NotValidForName"), "{error}");
    read.vault.lift(fault);
    assert_eq!(read.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_host_that_cannot_be_found_or_refuses_fails_the_tunnel() {
    let read = Read::new().await;
    assert_eq!(read.status().await, StatusCode::OK);
    for effect in [Effect::HostNotFound, Effect::ConnectionRefused] {
        let fault = read.vault.fault(Fault::new(effect));
        let error = connect_error(|| read.request()).await;
        assert!(error.contains("TunnelUnsuccessful"), "{error}");
        read.vault.lift(fault);
        assert_eq!(read.status().await, StatusCode::OK);
    }
}

#[tokio::test]
async fn entra_ids_connections_can_fail_too() {
    let world = World::new().await;
    world.token().await;
    let fault = world.sandbox.entra_fault(Fault::new(Effect::ConnectionRefused));
    let url = "https://login.microsoftonline.com/common/discovery/instance";
    connect_error(|| world.client.plain(url)).await;
    assert!(world.sandbox.lift_entra_fault(fault));
    world.token().await;
}
