//! What failed while the API server was away is tried again as soon as it answers.

use std::sync::Weak;
use std::time::Duration;

use kube::Client;

use super::api_call::bounded;
use super::controllers::Controller;
use crate::runtime::api_health::ApiHealth;

/// How often an API server that does not answer is asked for its version, and how often at most its return wakes those who wait for
/// it: where it answers some requests and not others, it seems to return all the time.
const PROBE: Duration = Duration::from_secs(2);

/// Wakes what failed while the API server was away as soon as it answers again. While it does not, one probe stands for all.
pub(crate) async fn wake_after(client: Client, api_health: ApiHealth, controllers: Vec<Weak<dyn Controller>>) {
    let mut outage = api_health.outage();
    while outage.wait_for(|lasts| *lasts).await.is_ok() {
        loop {
            tokio::time::sleep(PROBE).await;
            // Whether it was answered is noted where all requests are.
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
