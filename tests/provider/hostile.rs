//! A vault that does what it likes gets no token for elsewhere and takes neither memory nor time.

use external_secrets::provider::Class;
use external_secrets::sandbox::{Effect, Fault};

use crate::support::World;

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
