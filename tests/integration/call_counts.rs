//! How many requests go to Entra ID and the vault.

use serde_json::json;
use test_stage::scene::Scene;

const MANY: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_external_secrets_of_one_identity_cost_one_token_exchange() {
    let scene = Scene::new("many").await;
    for index in 0..MANY {
        scene.set_secret(&format!("value-{index}"), &index.to_string());
    }
    for index in 0..MANY {
        scene.external_secret(&format!("es-{index}"), "1h", &[("value", &format!("value-{index}"))]).await;
    }
    scene.store().await;
    for index in 0..MANY {
        scene.until_secret(&format!("es-{index}"), json!({"value": index.to_string()})).await;
    }
    assert_eq!(scene.application.counters().exchanges, 1);
    let reads: u64 = (0..MANY).map(|index| scene.reads_of(&format!("value-{index}"))).sum();
    assert_eq!(reads, MANY as u64, "each value is read once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_external_secrets_that_share_a_secret_cost_three_reads_at_the_most() {
    let scene = Scene::new("shared").await;
    scene.set_secret("value", "one for all");
    for index in 0..MANY {
        scene.external_secret(&format!("es-{index}"), "1h", &[("value", "value")]).await;
    }
    let started = std::time::Instant::now();
    scene.store().await;
    for index in 0..MANY {
        scene.until_secret(&format!("es-{index}"), json!({"value": "one for all"})).await;
    }
    assert_eq!(scene.application.counters().exchanges, 1);
    // One read serves everything that starts within the next two seconds. A machine that needs at most four seconds for
    // all of them makes three reads.
    let reads = scene.reads_of("value");
    let windows = started.elapsed().as_secs() / 2 + 1;
    assert!(reads <= windows, "{reads} reads in {:?}", started.elapsed());
}
