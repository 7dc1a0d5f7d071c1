//! A vault that misbehaves gets no token meant for another, and uses up neither memory nor time.

use std::time::{Duration, Instant};

use external_secrets::api::v1::secret_store::AzureKvProvider;
use external_secrets::provider::Class;
use external_secrets::provider::azure::Options;
use external_secrets::sandbox::{Effect, Fault, Tenant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{ACCOUNT, CLIENT_ID, ISSUER, NAMESPACE, World, client, read};

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

/// Somebody else's authority that also knows the identity.
fn other_tenant(world: &World) -> Tenant {
    let tenant = world.sandbox.tenant("00000000-0000-4000-8000-00000000000e");
    let subject = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    tenant.application(CLIENT_ID).federate(ISSUER, &subject);
    tenant
}

#[tokio::test]
async fn an_authority_that_hangs_takes_no_place_at_a_vault_that_others_read() {
    const HANGS: Duration = Duration::from_secs(20);
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    let hostile = other_tenant(&world).set_token_lifetime(Duration::from_secs(1));
    let provider = world.provider(world.options());
    let store = AzureKvProvider { tenant_id: Some(hostile.id().to_owned()), ..world.store() };
    let attacker = client(&provider, store).await.unwrap();
    // It issues one token with a lifetime of a second, and then hangs.
    read(attacker.as_ref(), "first").await.unwrap_err();
    hostile.fault(Fault::latency(HANGS));
    let names: Vec<_> = (0..200).map(|number| format!("s-{number}")).collect();
    let began = Instant::now();
    let mut all = Box::pin(futures::future::join_all(names.iter().map(|name| read(attacker.as_ref(), name))));
    // Until the token has expired and all of them wait for a new one.
    while began.elapsed() < Duration::from_secs(3) {
        let _ = tokio::time::timeout(Duration::from_millis(100), &mut all).await;
    }
    let victim = world.client(&provider).await;
    let attack = async { futures::join!(&mut all, std::future::pending::<()>()) };
    let value = tokio::select! {
        value = read(victim.as_ref(), "a") => value,
        _ = attack => unreachable!(),
    };
    assert_eq!(value.unwrap(), "1");
    assert!(began.elapsed() < HANGS, "it waited for the other's authority: {:?}", began.elapsed());
}

#[tokio::test]
async fn an_authority_that_asks_for_no_wait_gets_an_exchange_in_some_seconds() {
    let world = World::new().await;
    let fault = world.tenant.fault(Fault::throttle(Some(0)));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let began = Instant::now();
    let refused = read(client.as_ref(), "a").await.unwrap_err();
    assert_eq!(refused.cause, "EntraThrottled");
    // The read continues as long as somebody waits for it.
    let deadline = began + Duration::from_secs(30);
    while world.tenant.counters().exchanges < 3 {
        assert!(Instant::now() < deadline, "it is tried no more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    world.tenant.lift(fault);
    drop(refused);
}

/// The TLS versions that a client offers in its first message: the list in the `supported_versions` extension (RFC
/// 8446, section 4.2.1).
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    // Record header, handshake header, version and random; then session id, cipher suites and compression methods, each
    // with its length.
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
