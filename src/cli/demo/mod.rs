//! `external-secrets sandbox demo`: the walkthrough, run on a cluster and an emulated Azure of its own.
//!
//! [`story`] is the script, as data; [`stage`] runs it; [`world`] is what it runs on. Every line
//! of output that follows a command comes from that command. The first that differs from the script ends
//! the demo.

mod rights;
mod stage;
mod story;
mod world;

use std::path::PathBuf;

use clap::Args;

use crate::runtime::shutdown;
use crate::sandbox::SandboxError;
use crate::sandbox::cluster::ClusterError;
use crate::sandbox::supervisor::SupervisorError;

use stage::Stage;
use world::World;

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The emulator of Azure cannot be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The emulated vault refuses what the demo writes.
    #[error("the emulated vault refuses the demo's secret: {0}")]
    Vault(String),
    /// The controller's account cannot be made.
    #[error("the controller's account in the cluster cannot be made: {0}")]
    Rights(String),
    /// The controller cannot be stopped.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// Signals, the shell or the terminal cannot be used.
    #[error("the terminal or the shell cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// A command did not show what it should.
    #[error("this does not hold: {problem}\n  $ {command}\nThe controller's log is {}; its end:\n{tail}", log.display())]
    Step {
        /// What a person would have typed.
        command: String,
        /// What is wrong with the output.
        problem: String,
        log: PathBuf,
        tail: String,
    },
    /// The controller ended by itself.
    #[error("the controller ended by itself with {exit}; the end of its log {}:\n{tail}", log.display())]
    ControllerEnded {
        /// How.
        exit: String,
        log: PathBuf,
        tail: String,
    },
    /// Ctrl-C.
    #[error("the demo was interrupted")]
    Interrupted,
}

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
