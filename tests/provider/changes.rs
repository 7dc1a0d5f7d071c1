//! Learning from one list whether a refresh has anything to read.

use external_secrets::provider::azure::Options;
use external_secrets::provider::{Changes, ReadMark, SecretsClient};
use external_secrets::sandbox::SecretPermission;

use crate::support::{SHARED, World, reference};

/// Three pages.
const MANY: usize = 60;

/// Reads `count` secrets, and then pretends that this was some time after their last change.
async fn marks(world: &World, client: &dyn SecretsClient) -> Vec<ReadMark> {
    let mut marks = Vec::new();
    for number in 0..MANY {
        let name = format!("s-{number}");
        world.vault.set_secret(&name, "1").unwrap();
        let read = client.get_secret(&reference(&name), SHARED).await.unwrap();
        let mark = read.mark.unwrap();
        marks.push(ReadMark { read: mark.updated + 10, ..mark });
    }
    world.vault.reset_counters();
    marks
}

/// Asks as this many ExternalSecrets with one secret each.
async fn ask(client: &dyn SecretsClient, marks: &[ReadMark]) -> Vec<Changes> {
    futures::future::join_all(marks.iter().map(|mark| client.changes(std::slice::from_ref(mark)))).await
}

#[tokio::test]
async fn one_list_tells_of_many_that_nothing_has_changed() {
    let world = World::new().await;
    world.vault.allow(&world.application, [SecretPermission::Get, SecretPermission::List]);
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let mut marks = marks(&world, client.as_ref()).await;
    world.vault.enable_secret("s-1", false).unwrap();
    world.vault.delete_secret("s-2").unwrap();
    marks[3].updated -= 1;
    marks[4].read = marks[4].updated + 1;
    let changes = ask(client.as_ref(), &marks).await;
    for (number, change) in changes.iter().enumerate() {
        let expected = if (1..=4).contains(&number) { Changes::Possible } else { Changes::None };
        assert_eq!(*change, expected, "s-{number}");
    }
    assert_eq!(world.vault.counters().requests, 3);
}

#[tokio::test]
async fn where_a_list_costs_more_than_the_reads_it_is_given_up() {
    let world = World::new().await;
    world.vault.allow(&world.application, [SecretPermission::Get, SecretPermission::List]);
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let marks = marks(&world, client.as_ref()).await;
    assert_eq!(ask(client.as_ref(), &marks[..1]).await, [Changes::Possible]);
    assert_eq!(world.vault.counters().requests, 1, "the first page says that there are more");
    assert_eq!(ask(client.as_ref(), &marks[..1]).await, [Changes::Possible]);
    assert_eq!(world.vault.counters().requests, 1);
}

#[tokio::test]
async fn where_listing_is_refused_it_is_not_tried_again_and_not_missed() {
    let world = World::new().await;
    let provider = world.provider(world.options());
    let client = world.client(&provider).await;
    let marks = marks(&world, client.as_ref()).await;
    for _ in 0..2 {
        assert!(ask(client.as_ref(), &marks).await.iter().all(|change| *change == Changes::Possible));
    }
    assert_eq!(world.vault.counters().requests, 1);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let world = World::new().await;
    world.vault.allow(&world.application, [SecretPermission::Get, SecretPermission::List]);
    let provider = world.provider(Options { change_detection: false, ..world.options() });
    let client = world.client(&provider).await;
    let marks = marks(&world, client.as_ref()).await;
    assert!(ask(client.as_ref(), &marks).await.iter().all(|change| *change == Changes::Possible));
    assert_eq!(world.vault.counters().requests, 0);
}
