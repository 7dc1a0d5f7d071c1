//! What validating a store finds.

use external_secrets::provider::{Check, Validation, Verdict};
use external_secrets::sandbox::{Fault, Network, Role};

use crate::support::World;

async fn validated(world: &World) -> Validation {
    world.client(&world.provider(world.options())).await.validate().await
}

/// The verdict and the conditions Authenticated, Reachable, Authorized.
fn summary(validation: &Validation) -> String {
    let verdict = match validation.verdict {
        Verdict::Valid => "Valid",
        Verdict::Invalid(_) => "Invalid",
        Verdict::Unknown(_) => "Unknown",
    };
    let checks = [&validation.authenticated, &validation.reachable, &validation.authorized];
    let checks = checks.map(|check| match check {
        Check::Passed => 'T',
        Check::Failed(_) => 'F',
        Check::Unknown(_) => '?',
    });
    format!("{verdict} {}", checks.iter().collect::<String>())
}

#[tokio::test]
async fn get_alone_is_enough_and_the_secret_need_not_exist() {
    let world = World::new().await;
    assert_eq!(summary(&validated(&world).await), "Valid TTT");
    assert_eq!(world.vault.counters().secret_reads("external-secrets-probe"), 1);
    assert_eq!(world.vault.counters().requests, 1);
}

#[tokio::test]
async fn a_role_on_a_single_secret_leaves_the_store_valid() {
    let world = World::new().await;
    world.vault.assign_on_secret(&world.application, Role::SecretsUser, "db");
    assert_eq!(summary(&validated(&world).await), "Valid TT?");
}

#[tokio::test]
async fn what_a_person_must_change_makes_the_store_invalid() {
    let world = World::new().await;
    world.vault.set_network(Network::Firewall { client_address: "20.1.2.3".to_owned() });
    assert_eq!(summary(&validated(&world).await), "Invalid TF?");
    world.application.clear_federation();
    assert_eq!(summary(&validated(&world).await), "Invalid F??");
}

#[tokio::test]
async fn an_outage_leaves_the_answer_open() {
    let world = World::new().await;
    world.vault.fault(Fault::status(503));
    assert_eq!(summary(&validated(&world).await), "Unknown TF?");
    world.vault.lift_all();
    world.vault.fault(Fault::throttle(Some(30)));
    assert_eq!(summary(&validated(&world).await), "Unknown TT?");
    world.tenant.fault(Fault::status(500));
    assert_eq!(summary(&validated(&world).await), "Unknown ???");
}
