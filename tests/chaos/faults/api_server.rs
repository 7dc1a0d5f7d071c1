//! The API server, what is behind it, and the network in front of it.

use std::time::{Duration, Instant};

use external_secrets::sandbox::cluster::{Cluster, ClusterError};
use futures::FutureExt;
use test_stage::api_proxy::{ApiFault, Break};

use super::Fault;
use crate::arena::Arena;
use crate::chance::Chance;
use crate::ledger;

/// How long the launcher waits for the API server.
const START_DEADLINE: Duration = Duration::from_mins(1);

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "api-server-killed",
            about: "The API server is killed and away for a while",
            lasts: 5.0..12.0,
            short: None,
            play: |arena, lasts, _| kill(arena, lasts).boxed(),
        },
        Fault {
            name: "api-server-restarts",
            about: "The API server ends in good order and comes back at once, again and again",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, chance| restart(arena, lasts, chance).boxed(),
        },
        Fault {
            name: "etcd-stalls",
            about: "etcd is stopped (SIGSTOP): the API server gets no answer",
            lasts: 20.0..40.0,
            short: None,
            play: |arena, lasts, _| stall(arena, lasts).boxed(),
        },
        Fault {
            name: "watches-dropped",
            about: "All watches break off every moment",
            lasts: 15.0..20.0,
            short: None,
            play: |arena, lasts, chance| break_watches(arena, lasts, chance, Break::Drop).boxed(),
        },
        Fault {
            name: "watches-expired",
            about: "All watches end with 410 Gone every moment, so that all is listed again",
            lasts: 15.0..20.0,
            short: None,
            play: |arena, lasts, chance| break_watches(arena, lasts, chance, Break::Expire).boxed(),
        },
        Fault {
            name: "api-429",
            about: "The API server refuses seven of ten requests with 429 and Retry-After",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| refuse(arena, lasts, &[(429, Some(1), 0.7)]).boxed(),
        },
        Fault {
            name: "api-5xx",
            about: "The API server refuses every second request with 500, 503 or 504",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| {
                refuse(arena, lasts, &[(500, None, 0.2), (503, Some(1), 0.2), (504, None, 0.2)]).boxed()
            },
        },
        Fault {
            name: "api-answers-lost",
            about: "Every third request takes effect, but its connection ends instead of the answer",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| through(arena, lasts, ApiFault::LoseAnswer, 0.3).boxed(),
        },
        Fault {
            name: "api-slow",
            about: "Every answer of the API server comes 3 s late",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, _| through(arena, lasts, ApiFault::Delay(Duration::from_secs(3)), 1.0).boxed(),
        },
        Fault {
            name: "api-cut-off",
            about: "All connections to the API server are cut, and no new one lasts",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, _| cut_off(arena, lasts).boxed(),
        },
        Fault {
            name: "webhook-down",
            about: "The webhook is killed: changes of ExternalSecrets are refused",
            lasts: 10.0..15.0,
            short: None,
            play: |arena, lasts, _| webhook_down(arena, lasts).boxed(),
        },
    ]
}

pub(super) async fn kill(arena: &Arena, lasts: Duration) {
    let cluster = &arena.scene.world.cluster;
    cluster.kill_api_server().await.unwrap();
    tokio::time::sleep(lasts).await;
    start(cluster).await;
}

/// Starts the API server. On a busy machine that takes longer than the minute that the launcher waits.
async fn start(cluster: &Cluster) {
    let started = async {
        loop {
            match cluster.start_api_server().await {
                Ok(()) => return,
                Err(ClusterError::NotReady { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(5 * START_DEADLINE, started).await.expect("the API server starts");
}

async fn restart(arena: &Arena, lasts: Duration, mut chance: Chance) {
    let cluster = &arena.scene.world.cluster;
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        cluster.stop_api_server().await.unwrap();
        start(cluster).await;
        chance.pause(1.0..4.0).await;
    }
}

pub(super) async fn stall(arena: &Arena, lasts: Duration) {
    let cluster = &arena.scene.world.cluster;
    cluster.pause_etcd().await.unwrap();
    tokio::time::sleep(lasts).await;
    cluster.resume_etcd().await.unwrap();
}

pub(super) async fn break_watches(arena: &Arena, lasts: Duration, mut chance: Chance, how: Break) {
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        chance.pause(0.1..1.0).await;
        for replica in arena.replicas() {
            replica.proxy.break_watches(how);
        }
    }
}

pub(super) async fn refuse(arena: &Arena, lasts: Duration, statuses: &[(u16, Option<u32>, f64)]) {
    let refusals =
        statuses.iter().map(|&(status, after, share)| through(arena, lasts, ApiFault::Refuse(status, after), share));
    futures::future::join_all(refusals).await;
}

/// A fault between all controllers and the API server.
pub(super) async fn through(arena: &Arena, lasts: Duration, fault: ApiFault, share: f64) {
    let started: Vec<_> =
        arena.replicas().into_iter().map(|replica| (replica.proxy.fault(fault, share), replica)).collect();
    tokio::time::sleep(lasts).await;
    for (fault, replica) in started {
        replica.proxy.lift(fault);
    }
}

pub(super) async fn cut_off(arena: &Arena, lasts: Duration) {
    let cut = through(arena, lasts, ApiFault::Cut, 1.0);
    arena.replicas().iter().for_each(|replica| replica.proxy.cut_connections());
    cut.await;
}

async fn webhook_down(arena: &Arena, lasts: Duration) {
    arena.installation.webhook().kill().await;
    let mut manifest = arena.scene.manifest(&ledger::name(0), "7s", &[(crate::witness::KEY, &ledger::name(0))]);
    manifest["metadata"]["labels"] = serde_json::json!({"while": "down"});
    if arena.scene.try_apply(manifest).await.is_ok() {
        arena.note("an ExternalSecret was changed although the webhook is down");
    }
    tokio::time::sleep(lasts).await;
    arena.installation.start_webhook().await;
    arena.installation.until_answered().await;
}
