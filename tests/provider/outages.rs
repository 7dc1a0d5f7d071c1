//! What an outage costs, and how it ends.

use std::time::Duration;

use external_secrets::provider::azure::Options;
use external_secrets::provider::{Class, ProviderError, SecretsClient};
use external_secrets::sandbox::{Effect, Fault, Limit, SecretPermission};

use crate::support::{World, read, read_when_it_works};

/// The names of `count` secrets that exist in the vault.
fn secrets(world: &World, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|number| format!("s-{number}")).collect();
    for name in &names {
        world.vault.set_secret(name, "1").unwrap();
    }
    names
}

/// Reads all at once; all must fail.
async fn failures(client: &dyn SecretsClient, names: &[String], class: Class) -> Vec<ProviderError> {
    let errors = futures::future::join_all(names.iter().map(|name| read(client, name))).await;
    let errors: Vec<_> = errors.into_iter().map(Result::unwrap_err).collect();
    assert!(errors.iter().all(|error| error.class == class), "{errors:?}");
    errors
}

/// Waits until all are worth retrying.
async fn until_recovered(errors: &[ProviderError]) {
    let all = errors.iter().map(|error| error.recovery.as_ref().unwrap().recovered());
    tokio::time::timeout(Duration::from_secs(20), futures::future::join_all(all)).await.unwrap();
}

#[tokio::test]
async fn when_a_vault_is_back_waiting_callers_are_woken_and_get_their_values() {
    let world = World::new().await;
    let names = secrets(&world, 50);
    let down = world.vault.fault(Fault::status(503));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let errors = failures(client.as_ref(), &names, Class::Unreachable).await;
    world.vault.lift(down);
    world.vault.reset_counters();
    until_recovered(&errors).await;
    for name in &names {
        assert_eq!(read(client.as_ref(), name).await.unwrap(), "1");
    }
    assert_eq!(world.vault.counters().requests, 50, "nobody asks twice");
}

#[tokio::test]
async fn when_an_identity_gets_a_token_again_waiting_callers_are_woken() {
    let world = World::new().await;
    let names = secrets(&world, 50);
    let down = world.tenant.fault(Fault::status(503));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let errors = failures(client.as_ref(), &names, Class::Unreachable).await;
    world.tenant.lift(down);
    world.tenant.reset_counters();
    until_recovered(&errors).await;
    assert_eq!(world.tenant.counters().exchanges, 1);
    assert_eq!(read(client.as_ref(), "s-7").await.unwrap(), "1");
}

#[tokio::test]
async fn when_a_right_is_granted_a_single_probe_wakes_all_waiting_callers() {
    let world = World::new().await;
    let names = secrets(&world, 50);
    world.vault.revoke(&world.application);
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let errors = failures(client.as_ref(), &names, Class::Denied).await;
    world.vault.reset_counters();
    world.vault.clone().allow(&world.application, SecretPermission::Get);
    until_recovered(&errors).await;
    let asked = world.vault.counters().requests;
    assert!(asked <= 2, "{asked}");
    assert_eq!(read(client.as_ref(), "s-7").await.unwrap(), "1");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_asked_for() {
    let world = World::new().await;
    let names = secrets(&world, 20);
    let down = world.vault.fault(Fault::status(503));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let mut errors = failures(client.as_ref(), &names, Class::Unreachable).await;
    errors.truncate(1);
    world.vault.lift(down);
    world.vault.reset_counters();
    until_recovered(&errors).await;
    assert_eq!(world.vault.counters().requests, 1);
}

#[tokio::test]
async fn a_vault_with_a_low_limit_is_seldom_asked_in_vain_and_all_come_through() {
    let world = World::new().await;
    let names = secrets(&world, 60);
    world.vault.set_limit(Some(Limit::per_ten_seconds(40)));
    // As patient as the controller: the vault serves again a moment after its window of 10 s.
    let patience = Options::default().patience;
    let provider = world.provider(Options { concurrency: 8, patience, ..world.options() });
    let client = world.client(&provider).await;
    let values = futures::future::join_all(names.iter().map(|name| read(client.as_ref(), name))).await;
    assert!(values.iter().all(Result::is_ok), "{values:?}");
    let refused = world.vault.counters().requests - 60;
    assert!(refused <= 12, "{refused}");
}

#[tokio::test]
async fn while_entra_is_down_all_callers_cost_one_exchange_and_it_works_again_afterwards() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    let down = world.tenant.fault(Fault::status(503));
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let errors = futures::future::join_all((0..200).map(|_| read(client.as_ref(), "a"))).await;
    assert!(errors.iter().all(|error| error.as_ref().unwrap_err().class == Class::Unreachable));
    assert_eq!(world.tenant.counters().exchanges, 1);
    assert_eq!(world.vault.counters().requests, 0);

    world.tenant.lift(down);
    assert_eq!(read_when_it_works(client.as_ref(), "a").await, "1");
}

#[tokio::test]
async fn while_a_vault_is_down_one_request_at_a_time_asks_and_it_works_again_afterwards() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let down = world.vault.fault(Fault::status(503));
    read(client.as_ref(), "a").await.unwrap_err();
    world.vault.reset_counters();
    let errors = futures::future::join_all((0..200).map(|_| read(client.as_ref(), "a"))).await;
    assert!(errors.iter().all(|error| error.as_ref().unwrap_err().class == Class::Unreachable));
    let asked = world.vault.counters().requests;
    assert!(asked <= 3, "{asked}: one when the pause of a second ended, on a slow machine another");

    world.vault.lift(down);
    assert_eq!(read_when_it_works(client.as_ref(), "a").await, "1");
}

#[tokio::test]
async fn a_short_throttling_is_waited_out_and_a_long_one_is_reported_with_its_end() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    let patient = world.provider(Options { patience: Duration::from_secs(10), ..world.options() });
    world.vault.fault(Fault::throttle(Some(1)).times(1));
    assert_eq!(read(world.client(&patient).await.as_ref(), "a").await.unwrap(), "1");

    world.vault.fault(Fault::throttle(Some(3600)));
    let error = world.read("a").await.unwrap_err();
    assert_eq!((error.class, error.cause), (Class::Throttled, "Throttled"));
    let wait = error.retry_after.unwrap();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "an hour is capped: {wait:?}");
}

#[tokio::test]
async fn a_single_broken_connection_is_not_even_noticed() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    world.tenant.fault(Fault::new(Effect::DropBefore).times(1));
    world.vault.fault(Fault::new(Effect::DropAfter).times(1));
    assert_eq!(world.read("a").await.unwrap(), "1");
    world.vault.fault(Fault::status(500).times(1));
    assert_eq!(world.read("a").await.unwrap(), "1");
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_outage() {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    for effect in [Effect::DropBefore, Effect::DropAfter, Effect::ConnectionRefused, Effect::HostNotFound] {
        let fault = world.vault.fault(Fault::new(effect.clone()));
        let error = world.read("a").await.unwrap_err();
        assert_eq!(error.class, Class::Unreachable, "{effect:?}: {error}");
        world.vault.lift(fault);
        assert_eq!(world.read("a").await.unwrap(), "1");
    }
}
