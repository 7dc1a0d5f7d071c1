//! What an outage costs, and that it ends.

use std::time::Duration;

use external_secrets::provider::Class;
use external_secrets::provider::azure::Options;
use external_secrets::sandbox::{Effect, Fault};

use crate::support::{World, read, read_when_it_works};

#[tokio::test]
async fn while_entra_is_down_all_who_ask_cost_one_exchange_and_it_works_again_afterwards() {
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
async fn a_short_throttling_is_waited_out_and_a_long_one_is_told_with_its_end() {
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
