use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn the_environment_leads_a_client_here() {
    let world = World::new().await;
    let environment = world.sandbox.environment();
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(value("HTTPS_PROXY"), world.sandbox.proxy_url());
    assert_eq!(std::fs::read_to_string(value("SSL_CERT_FILE")).unwrap(), world.sandbox.ca_bundle());
    assert_eq!(value("REQUESTS_CA_BUNDLE"), value("SSL_CERT_FILE"));
}

/// The proxy's raw answer to a request.
async fn ask_proxy(world: &World, request: &str) -> String {
    let address = world.sandbox.proxy_url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_tunnel_to_a_host_that_is_not_played_is_refused_with_its_cause() {
    let world = World::new().await;
    for host in ["unknown-vault.vault.azure.net:443", "example.com:443"] {
        let request = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = ask_proxy(&world, &request).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("proxy-status: sandbox; error=dns_error"), "{answer}");
    }
    let refused = ask_proxy(
        &world,
        "CONNECT login.microsoftonline.com:80 HTTP/1.1\r\nhost: login.microsoftonline.com:80\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 502 "), "{refused}");
}

#[tokio::test]
async fn the_name_of_a_private_endpoint_is_not_in_the_certificate() {
    let world = World::new().await;
    world.vault();
    let error = world.client.send("https://team-a-kv.privatelink.vaultcore.azure.net/secrets").await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("NotValidForName"), "{text}");
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let world = World::new().await;
    let url = "https://login.microsoftonline.com/common/discovery/instance";
    let response = world.client.send(url).await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let old = client::Client::builder(&world.sandbox).http1_only().build().unwrap();
    let response = old.get(url).send().await.unwrap();
    assert_eq!((response.version(), response.status()), (reqwest::Version::HTTP_11, StatusCode::OK));
}

#[tokio::test]
async fn a_dropped_sandbox_stops_answering() {
    let world = World::new().await;
    let address = world.sandbox.proxy_url().replace("http://", "");
    drop(world);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the port is still open");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_host_outside_every_cloud_is_not_a_vault() {
    let world = World::new().await;
    let error = world.sandbox.vault("kv.vault.azure.example").err().unwrap().to_string();
    assert!(error.starts_with("kv.vault.azure.example is not a vault's host"), "{error}");
}
