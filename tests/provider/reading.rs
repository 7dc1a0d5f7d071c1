//! What reads return, and what they cost.

use std::time::Duration;

use external_secrets::api::v1::external_secret::RemoteRef;
use external_secrets::provider::azure::Options;

use crate::support::{FORCED, World, get, read, reference};

#[tokio::test]
async fn the_current_version_a_pinned_one_and_a_property_are_read() {
    let world = World::new().await;
    let first = world.vault.set_secret("config", r#"{"user":"one","tls.crt":"PEM"}"#).unwrap();
    let client = world.client(&world.provider(world.options())).await;
    assert_eq!(read(client.as_ref(), "config").await.unwrap(), r#"{"user":"one","tls.crt":"PEM"}"#);

    world.vault.set_secret("config", r#"{"user":"two"}"#).unwrap();
    let version = first.rsplit('/').next().unwrap().to_owned();
    let user = |version| RemoteRef { version, property: Some("user".to_owned()), ..reference("secret/config") };
    assert_eq!(get(client.as_ref(), &user(None)).await.unwrap(), "two");
    assert_eq!(get(client.as_ref(), &user(Some(version.clone()))).await.unwrap(), "one");
    let dotted =
        RemoteRef { version: Some(version), property: Some("tls.crt".to_owned()), ..reference("secret/config") };
    assert_eq!(get(client.as_ref(), &dotted).await.unwrap(), "PEM");
}

#[tokio::test]
async fn two_hundred_secrets_cost_one_exchange_two_hundred_gets_and_no_challenge() {
    let world = World::new().await;
    for number in 0..200 {
        world.vault.set_secret(&format!("s-{number}"), &number.to_string()).unwrap();
    }
    let provider = world.provider(world.options());
    let reads = (0..200).map(async |number| {
        let client = world.client(&provider).await;
        read(client.as_ref(), &format!("s-{number}")).await
    });
    for (number, value) in futures::future::join_all(reads).await.into_iter().enumerate() {
        assert_eq!(value.unwrap(), number.to_string());
    }
    assert_eq!(world.application.counters().exchanges, 1);
    let counters = world.vault.counters();
    assert_eq!((counters.requests, counters.challenges), (200, 0));
    assert_eq!(counters.operation("GetSecret"), 200);
    assert!(counters.connections <= Options::default().concurrency as u64, "{}", counters.connections);
}

#[tokio::test]
async fn a_wave_on_one_secret_costs_one_get_and_a_forced_read_sees_a_new_version() {
    let world = World::new().await;
    world.vault.set_secret("shared", "old").unwrap();
    let provider = world.provider(Options { coalesce: Duration::from_mins(10), ..world.options() });
    let client = world.client(&provider).await;
    for _ in 0..2 {
        let wave = futures::future::join_all((0..200).map(|_| read(client.as_ref(), "shared"))).await;
        assert!(wave.into_iter().all(|value| value.unwrap() == "old"));
    }
    assert_eq!(world.vault.counters().secret_reads("shared"), 1);

    world.vault.set_secret("shared", "new").unwrap();
    client.get_secret(&reference("shared"), FORCED).await.unwrap();
    assert_eq!(read(client.as_ref(), "shared").await.unwrap(), "new");
    assert_eq!(world.vault.counters().secret_reads("shared"), 2);
}

#[tokio::test]
async fn the_largest_value_of_key_vault_and_one_with_escapes_come_through() {
    let world = World::new().await;
    let largest = "ä\"\\\u{1}".repeat(25 * 1024 / 6);
    world.vault.set_secret("largest", &largest).unwrap();
    assert_eq!(world.read("largest").await.unwrap(), largest);
}

#[tokio::test]
async fn a_token_that_expires_is_exchanged_again() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    world.tenant.set_token_lifetime(Duration::from_secs(6));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    read(client.as_ref(), "a").await.unwrap();
    while world.application.counters().exchanges < 2 {
        read(client.as_ref(), "a").await.unwrap();
    }
    assert_eq!(world.vault.counters().statuses.get(&401), None);
}
