//! `external-secrets sandbox demo`: the walkthrough, run on a cluster and an emulated Azure of its own.
//!
//! [`story`] is the script, as data; [`stage`] runs it; [`world`] is what it runs on. Every line
//! of output that follows a command comes from that command. The first that differs from the script ends
//! the demo.

mod error;
mod home;
mod rights;
mod stage;
mod story;
mod world;

use std::path::PathBuf;

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
    /// Install the Helm chart on the node whose cluster has its files in this folder; the environment of
    /// `tests/node/run` has it
    #[arg(long, env = "NODE_FOLDER", value_name = "FOLDER")]
    node: Option<PathBuf>,
}

pub(super) async fn execute(arguments: DemoArguments) -> Result<(), Error> {
    let stop = shutdown::on_signal()?;
    let world = stop.run_until_cancelled(World::start(arguments.node)).await.ok_or(Error::Interrupted)??;
    let mut stage = Stage::new(&world);
    let played = stop.run_until_cancelled(stage.play(story::story(world.home()))).await.ok_or(Error::Interrupted)?;
    if let Err(error) = played {
        world.home().keep_logs();
        return Err(error);
    }
    if arguments.keep {
        stage.invite()?;
        stop.cancelled().await;
    }
    world.home().stop();
    Ok(())
}
