//! Retries what failed while the API server was unreachable as soon as it answers again.

use std::sync::Weak;
use std::time::Duration;

use kube::Client;

use super::api_call::bounded;
use super::controllers::Controller;
use crate::runtime::api_health::ApiHealth;

/// How often an unreachable API server is probed. It is also the shortest interval between wake-ups: a server that
/// answers only some requests seems to come back all the time.
const PROBE: Duration = Duration::from_secs(2);

/// Wakes what failed while the API server was unreachable as soon as it answers again. Until then, one probe stands in
/// for every retry.
pub(crate) async fn wake_after(client: Client, api_health: ApiHealth, controllers: Vec<Weak<dyn Controller>>) {
    let mut outage = api_health.outage();
    while outage.wait_for(|lasts| *lasts).await.is_ok() {
        loop {
            tokio::time::sleep(PROBE).await;
            // The client itself records whether it was answered.
            let _ = bounded(client.apiserver_version()).await;
            if !*outage.borrow() {
                break;
            }
        }
        for controller in controllers.iter().filter_map(Weak::upgrade) {
            controller.wake_after_outage();
        }
    }
}
