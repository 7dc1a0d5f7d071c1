//! A vault that does what it likes gets no token for elsewhere and takes neither memory nor time.

use std::time::Duration;

use external_secrets::provider::Class;
use external_secrets::provider::azure::Options;
use external_secrets::sandbox::{Effect, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{World, read};

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_token() {
    let world = World::new().await;
    let other = world.sandbox.vault("other-vault").unwrap();
    world.vault.fault(Fault::new(Effect::Redirect(format!("{}/secrets/a", other.url()))));
    let error = world.read("a").await.unwrap_err();
    assert_eq!((error.class, error.cause), (Class::Unreachable, "Redirected"));
    assert_eq!(other.counters().requests, 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let world = World::new().await;
    world.vault.fault(Fault::new(Effect::EndlessBody));
    assert_eq!(world.read("a").await.unwrap_err().cause, "AnswerTooLarge");
}

#[tokio::test]
async fn huge_headers_are_an_error() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    world.vault.fault(Fault::new(Effect::HugeHeader(1 << 20)));
    let error = world.read("a").await.unwrap_err();
    assert_eq!(error.class, Class::Unreachable, "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_gets_no_request() {
    let world = World::new().await;
    world.vault.fault(Fault::new(Effect::WrongCertificate));
    let error = world.read("a").await.unwrap_err();
    assert_eq!(error.cause, "TlsWrongName");
    assert_eq!(world.vault.counters().requests, 0);
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let world = World::new().await;
    world.vault.set_secret("a", &"x".repeat(10_000)).unwrap();
    let provider = world.provider(Options { request_timeout: Duration::from_secs(3), ..world.options() });
    let client = world.client(&provider).await;
    assert_eq!(read(client.as_ref(), "a").await.unwrap().len(), 10_000);
    world.vault.fault(Fault::new(Effect::SlowBody(10)));
    let error = read(client.as_ref(), "a").await.unwrap_err();
    assert_eq!((error.class, error.cause), (Class::Unreachable, "Timeout"));
}

#[tokio::test]
async fn an_authority_that_redirects_gets_nobody_else_an_assertion() {
    let world = World::new().await;
    let other = world.sandbox.vault("other-vault").unwrap();
    world.tenant.fault(Fault::new(Effect::Redirect(format!("{}/secrets/a", other.url()))));
    let error = world.read("a").await.unwrap_err();
    assert_eq!((error.class, error.cause), (Class::Unreachable, "Redirected"), "{error}");
    assert_eq!(other.counters().requests + world.vault.counters().requests, 0);
}

#[tokio::test]
async fn an_authority_that_sends_without_an_end_is_cut_off() {
    let world = World::new().await;
    world.tenant.fault(Fault::new(Effect::EndlessBody));
    assert_eq!(world.read("a").await.unwrap_err().cause, "AnswerTooLarge");
    assert_eq!(world.vault.counters().requests, 0);
}

/// What a client offers in its first message of TLS: the list in the extension `supported_versions` (RFC 8446, section 4.2.1).
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    // Headers of record and handshake, version and random; then the session's id, ciphers and compressions, by their lengths.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + number(at);
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + number(at);
    at += 2;
    while at < end {
        let (kind, length) = (number(at), number(at + 2));
        if kind == 43 {
            let list = &hello[at + 5..at + 4 + length];
            return list.chunks(2).map(|version| u16::from_be_bytes([version[0], version[1]])).collect();
        }
        at += 4 + length;
    }
    panic!("no versions")
}

#[tokio::test]
async fn no_version_of_tls_before_1_2_is_offered() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let provider = world.provider(Options { https_proxy: Some(proxy), ..world.options() });
    let client = world.client(&provider).await;
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 16 << 10];
        let connect = stream.read(&mut bytes).await.unwrap();
        assert!(bytes[..connect].starts_with(b"CONNECT login.microsoftonline.com:443 "));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut header = [0; 5];
        stream.read_exact(&mut header).await.unwrap();
        let mut message = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut message).await.unwrap();
        [&header[..], &message].concat()
    };
    let (hello, failed) = tokio::join!(hello, read(client.as_ref(), "a"));
    assert_eq!(failed.unwrap_err().class, Class::Unreachable);
    assert_eq!(offered_versions(&hello), [0x0304, 0x0303]);
}
