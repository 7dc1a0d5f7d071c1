//! `external-secrets sandbox demo`: the walkthrough, run on a cluster and an emulated Azure of its own.
//!
//! [`story`] is the script, as data; [`stage`] runs it; [`world`] is what it runs on. Every line
//! of output that follows a command comes from that command. The first that differs from the script ends
//! the demo.

mod error;
mod rights;
mod stage;
mod story;
mod world;

use clap::Args;

use crate::runtime::shutdown;

pub(super) use error::Error;
use stage::Stage;
use world::World;

/// The walkthrough on a cluster and an emulated Azure of its own.
#[derive(Args, Debug)]
pub(super) struct DemoArguments {
    /// Keep everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

pub(super) async fn execute(arguments: DemoArguments) -> Result<(), Error> {
    let stop = shutdown::on_signal()?;
    let world = stop.run_until_cancelled(World::start()).await.ok_or(Error::Interrupted)??;
    let mut stage = Stage::new(&world);
    let played = stop.run_until_cancelled(stage.play(story::STORY)).await.ok_or(Error::Interrupted)?;
    if let Err(error) = played {
        world.keep_logs();
        return Err(error);
    }
    if arguments.keep {
        stage.invite()?;
        stop.cancelled().await;
    }
    world.stop();
    Ok(())
}
