//! Several faults at a time, at random.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Effect, Fault as AzureFault};
use futures::FutureExt;
use test_stage::api_proxy::{ApiFault, Break};

use super::{Fault, Play, api_server, azure, processes};
use crate::arena::Arena;
use crate::chance::Chance;

/// Between the controllers and the API server.
const WAY: [Play; 6] = [
    |arena, lasts, chance| api_server::break_watches(arena, lasts, chance, Break::Drop).boxed(),
    |arena, lasts, chance| api_server::break_watches(arena, lasts, chance, Break::Expire).boxed(),
    |arena, lasts, _| api_server::refuse(arena, lasts, &[(429, Some(1), 0.5), (500, None, 0.3)]).boxed(),
    |arena, lasts, _| api_server::through(arena, lasts, ApiFault::LoseAnswer, 0.3).boxed(),
    |arena, lasts, _| api_server::through(arena, lasts, ApiFault::Delay(Duration::from_secs(1)), 0.5).boxed(),
    |arena, lasts, _| api_server::cut_off(arena, lasts).boxed(),
];

/// In Azure.
const AZURE: [Play; 7] = [
    |arena, lasts, _| azure::vault(arena, lasts, AzureFault::status(503)).boxed(),
    |arena, lasts, _| azure::vault(arena, lasts, AzureFault::throttle(Some(1))).boxed(),
    |arena, lasts, _| azure::vault(arena, lasts, AzureFault::new(Effect::WrongCertificate)).boxed(),
    |arena, lasts, chance| azure::cut(arena, lasts, chance).boxed(),
    |arena, lasts, _| azure::unreachable(arena, lasts).boxed(),
    |arena, lasts, _| azure::deny(arena, lasts).boxed(),
    |arena, lasts, _| azure::entra(arena, lasts).boxed(),
];

/// Of processes.
const PROCESSES: [Play; 4] = [
    |arena, lasts, _| api_server::kill(arena, lasts).boxed(),
    |arena, lasts, _| api_server::stall(arena, lasts).boxed(),
    |arena, lasts, chance| processes::kill(arena, lasts, chance).boxed(),
    |arena, lasts, _| processes::pause(arena, lasts).boxed(),
];

pub(super) fn fault() -> Fault {
    Fault {
        name: "storm",
        about: "Of the API server, Azure and the processes each something fails at random, at the same time",
        lasts: 60.0..70.0,
        short: Some(8.0..10.0),
        play: |arena, lasts, chance| storm(arena, lasts, chance).boxed(),
    }
}

async fn storm(arena: &Arena, lasts: Duration, mut chance: Chance) {
    let (way, azure) = (lane(arena, lasts, &WAY, chance.fork()), lane(arena, lasts, &AZURE, chance.fork()));
    tokio::join!(way, azure, lane(arena, lasts, &PROCESSES, chance.fork()));
}

/// One fault after another, with pauses; none repeats before all have happened.
async fn lane(arena: &Arena, lasts: Duration, faults: &[Play], mut chance: Chance) {
    let end = Instant::now() + lasts;
    let mut left = Vec::new();
    while Instant::now() < end {
        if left.is_empty() {
            left = faults.to_vec();
        }
        let (play, time) = (chance.take(&mut left), chance.duration(0.5..4.0));
        play(arena, time, chance.fork()).await;
        chance.pause(0.1..2.0).await;
    }
}
