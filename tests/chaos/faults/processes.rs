//! The controllers themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use test_stage::api_proxy::ApiFault;
use test_stage::cluster_access::DEADLINE;

use super::Fault;
use crate::arena::{Arena, LEASE};
use crate::chance::Chance;
use crate::deployment::Replica;

/// The minimum number of leadership changes.
const LEAST_BLOWS: u32 = 2;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "controller-killed",
            about: "The controller is killed (SIGKILL) at random moments, and starts again",
            lasts: 25.0..35.0,
            short: Some(2.0..4.0),
            play: |arena, lasts, chance| kill(arena, lasts, chance).boxed(),
        },
        Fault {
            name: "controller-paused",
            about: "The controller is stopped in its tracks (SIGSTOP) and goes on later",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| pause(arena, lasts).boxed(),
        },
        Fault {
            name: "leadership-moves",
            about: "Of two replicas the one that leads is killed, paused beyond its lease, asked to stop or cut off, in turn",
            lasts: 60.0..70.0,
            short: Some(4.0..6.0),
            play: |arena, lasts, chance| move_leadership(arena, lasts, chance).boxed(),
        },
    ]
}

pub(super) async fn kill(arena: &Arena, lasts: Duration, mut chance: Chance) {
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        chance.pause(0.2..3.0).await;
        for replica in arena.replicas() {
            replica.kill().await;
        }
    }
}

pub(super) async fn pause(arena: &Arena, lasts: Duration) {
    let paused: Vec<_> = arena.replicas().iter().map(|replica| replica.controller()).collect();
    for controller in &paused {
        controller.pause();
    }
    tokio::time::sleep(lasts).await;
    for controller in &paused {
        controller.resume();
    }
}

/// What happens to the leader.
#[derive(Clone, Copy)]
enum Blow {
    Kill,
    Pause,
    AskToStop,
    CutOff,
}

async fn move_leadership(arena: &Arena, lasts: Duration, mut chance: Chance) {
    arena.two_replicas().await;
    let end = Instant::now() + lasts;
    let (mut blows, mut given) = (Vec::new(), 0);
    let mut leader = other_leader(arena, "").await;
    while Instant::now() < end || given < LEAST_BLOWS {
        if blows.is_empty() {
            blows = vec![Blow::Kill, Blow::Pause, Blow::AskToStop, Blow::CutOff];
        }
        let blow = chance.take(&mut blows);
        let replica = arena.replicas().into_iter().find(|replica| leader.starts_with(&format!("{}_", replica.name)));
        let Some(replica) = replica else {
            arena.note(format!("nobody of ours leads, but {leader}"));
            break;
        };
        chance.pause(0.5..2.0).await;
        leader = suffer(arena, &replica, blow, &leader).await;
        given += 1;
    }
    arena.one_controller().await;
}

/// Hits a replica, waits until another one leads, and returns that one. A replica that was paused or cut off then
/// carries on.
async fn suffer(arena: &Arena, replica: &Arc<Replica>, blow: Blow, leader: &str) -> String {
    let controller = replica.controller();
    match blow {
        Blow::Kill => {
            replica.kill().await;
            other_leader(arena, leader).await
        }
        Blow::Pause => {
            controller.pause();
            let next = other_leader(arena, leader).await;
            controller.resume();
            next
        }
        Blow::AskToStop => {
            controller.terminate();
            other_leader(arena, leader).await
        }
        Blow::CutOff => {
            let fault = replica.proxy.fault(ApiFault::Cut, 1.0);
            replica.proxy.cut_connections();
            let next = other_leader(arena, leader).await;
            replica.proxy.lift(fault);
            next
        }
    }
}

/// Waits until another replica leads; returns its identity.
async fn other_leader(arena: &Arena, before: &str) -> String {
    let api: Api<Lease> = Api::namespaced(arena.scene.client.clone(), "default");
    let wait = async {
        loop {
            let lease = api.get_opt(LEASE).await.ok().flatten();
            let holder = lease.and_then(|lease| lease.spec?.holder_identity).unwrap_or_default();
            if !holder.is_empty() && holder != before {
                return holder;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("another replica leads")
}
