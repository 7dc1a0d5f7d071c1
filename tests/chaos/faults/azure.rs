//! Key Vault and Entra ID.

use std::time::{Duration, Instant};

use external_secrets::sandbox::{Effect, Fault as AzureFault, Limit};
use futures::FutureExt;

use super::Fault;
use crate::arena::{Arena, TOKEN_LIFETIME};
use crate::chance::Chance;
use crate::pushes::RIGHTS;

/// The clock skew that Entra ID, the vault and their clients tolerate, in seconds.
const TOLERANCE: i64 = 300;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "vault-throttles",
            about: "The vault serves a tenth of the requests that are needed, the others get 429",
            lasts: 25.0..35.0,
            short: None,
            play: |arena, lasts, _| throttle(arena, lasts).boxed(),
        },
        Fault {
            name: "vault-503",
            about: "The vault answers 503",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, _| vault(arena, lasts, AzureFault::status(503)).boxed(),
        },
        Fault {
            name: "vault-slow",
            about: "The vault's answers begin 4 s late and then come at 300 bytes a second",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, _| slow(arena, lasts).boxed(),
        },
        Fault {
            name: "vault-cut",
            about: "The vault's connections break off in bursts, before and after the request took effect",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, chance| cut(arena, lasts, chance).boxed(),
        },
        Fault {
            name: "vault-unreachable",
            about: "The vault refuses connections, then its name is not found",
            lasts: 20.0..30.0,
            short: None,
            play: |arena, lasts, _| unreachable(arena, lasts).boxed(),
        },
        Fault {
            name: "vault-certificate",
            about: "The vault shows a certificate for another name",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| vault(arena, lasts, AzureFault::new(Effect::WrongCertificate)).boxed(),
        },
        Fault {
            name: "vault-denies",
            about: "The right to read the vault is taken away and given again",
            lasts: 15.0..25.0,
            short: None,
            play: |arena, lasts, _| deny(arena, lasts).boxed(),
        },
        Fault {
            name: "entra-503",
            about: "Entra ID answers 503, and tokens run out",
            lasts: 25.0..35.0,
            short: None,
            play: |arena, lasts, _| entra(arena, lasts).boxed(),
        },
        Fault {
            name: "entra-unreachable",
            about: "Entra ID refuses connections, and tokens run out",
            lasts: 25.0..35.0,
            short: None,
            play: |arena, lasts, _| entra_unreachable(arena, lasts).boxed(),
        },
        Fault {
            name: "tokens-refused",
            about: "The vault no longer takes a token that should be good for minutes",
            lasts: 70.0..80.0,
            short: None,
            play: |arena, lasts, _| refuse_tokens(arena, lasts).boxed(),
        },
        Fault {
            name: "clock-skewed",
            about: "Azure's clock jumps within 4 minutes, and then is off by 2 hours",
            lasts: 25.0..35.0,
            short: None,
            play: |arena, lasts, chance| skew(arena, lasts, chance).boxed(),
        },
    ]
}

async fn throttle(arena: &Arena, lasts: Duration) {
    let vault = &arena.scene.vault;
    vault.set_limit(Some(Limit::per_ten_seconds(40)));
    tokio::time::sleep(lasts).await;
    vault.set_limit(None);
}

pub(super) async fn vault(arena: &Arena, lasts: Duration, fault: AzureFault) {
    let fault = arena.scene.vault.fault(fault);
    tokio::time::sleep(lasts).await;
    arena.scene.vault.lift(fault);
}

async fn slow(arena: &Arena, lasts: Duration) {
    let late = vault(arena, lasts, AzureFault::latency(Duration::from_secs(4)));
    tokio::join!(late, vault(arena, lasts, AzureFault::new(Effect::SlowBody(300))));
}

pub(super) async fn cut(arena: &Arena, lasts: Duration, mut chance: Chance) {
    let vault = &arena.scene.vault;
    let end = Instant::now() + lasts;
    let mut started = Vec::new();
    while Instant::now() < end {
        let effect = chance.pick(&[Effect::DropBefore, Effect::DropAfter]).clone();
        let times = u32::try_from(chance.number(1..20)).unwrap();
        started.push(vault.fault(AzureFault::new(effect).times(times)));
        chance.pause(0.1..1.0).await;
    }
    for fault in started {
        vault.lift(fault);
    }
}

pub(super) async fn unreachable(arena: &Arena, lasts: Duration) {
    vault(arena, lasts / 2, AzureFault::new(Effect::ConnectionRefused)).await;
    vault(arena, lasts / 2, AzureFault::new(Effect::HostNotFound)).await;
}

pub(super) async fn deny(arena: &Arena, lasts: Duration) {
    let (vault, application) = (&arena.scene.vault, &arena.scene.application);
    vault.revoke(application);
    tokio::time::sleep(lasts).await;
    vault.allow(application, RIGHTS);
}

pub(super) async fn entra(arena: &Arena, lasts: Duration) {
    let fault = arena.scene.application.fault(AzureFault::status(503));
    tokio::time::sleep(lasts).await;
    arena.scene.application.lift(fault);
}

pub(super) async fn entra_unreachable(arena: &Arena, lasts: Duration) {
    let sandbox = &arena.scene.world.sandbox;
    let fault = sandbox.entra_fault(AzureFault::new(Effect::ConnectionRefused));
    tokio::time::sleep(lasts).await;
    sandbox.lift_entra_fault(fault);
}

/// A jump of Azure's clock expires tokens that the controller considers valid; the jump back puts those issued in
/// between into the future.
async fn refuse_tokens(arena: &Arena, lasts: Duration) {
    const LIFETIME: i64 = 400;
    let (world, application) = (arena.scene.world, &arena.scene.application);
    let tenant = world.sandbox.default_tenant();
    tenant.set_token_lifetime(Duration::from_secs(LIFETIME.unsigned_abs()));
    let issued = application.counters().issued;
    while application.counters().issued == issued {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let jump = LIFETIME + TOLERANCE + 60;
    world.clock.advance(jump);
    tokio::time::sleep(lasts).await;
    world.clock.advance(-jump);
    tenant.set_token_lifetime(TOKEN_LIFETIME);
}

async fn skew(arena: &Arena, lasts: Duration, mut chance: Chance) {
    const HOURS: i64 = 2 * 3600;
    let clock = &arena.scene.world.clock;
    let (start, mut offset) = (Instant::now(), 0);
    while start.elapsed() < lasts / 2 {
        let next = chance.number(60 - TOLERANCE..TOLERANCE - 60);
        clock.advance(next - offset);
        offset = next;
        chance.pause(1.0..4.0).await;
    }
    let far = if chance.coin() { HOURS } else { -HOURS };
    clock.advance(far - offset);
    tokio::time::sleep(lasts.saturating_sub(start.elapsed())).await;
    clock.advance(-far);
}
