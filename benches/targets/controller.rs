//! The controller under measurement, as a process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use external_secrets::sandbox::supervisor::{Process, Program};
use test_stage::process::peak_memory;

use crate::error::Error;
use crate::stage::Stage;

/// Clock ticks per second in `/proc/PID/stat`: the kernel reports 100 on every platform.
const TICKS: f64 = 100.0;

/// How to start a controller.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    pub(crate) program: PathBuf,
    arguments: Vec<String>,
}

impl CommandLine {
    /// Splits at spaces; quoting is not supported.
    pub(crate) fn parse(line: &str) -> Result<Self, Error> {
        let mut words = line.split_whitespace();
        let program = std::path::absolute(words.next().ok_or(Error::NoController)?)?;
        Ok(Self { program, arguments: words.map(ToOwned::to_owned).collect() })
    }
}

impl CommandLine {
    /// The same command line with another value for one flag.
    pub(crate) fn with_flag(&self, flag: &str, value: &str) -> Self {
        let mut arguments = self.arguments.clone();
        arguments.retain(|argument| !argument.starts_with(&format!("{flag}=")));
        arguments.push(format!("{flag}={value}"));
        Self { program: self.program.clone(), arguments }
    }
}

/// A running controller.
pub(crate) struct Controller {
    process: Process,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Controller {
    pub(crate) async fn start(command: &CommandLine, stage: &Stage) -> Result<Self, Error> {
        let log = stage.cluster.directory().join("controller.log");
        let program = Program::new(&command.program, log).arguments(command.arguments.iter().cloned());
        let program =
            stage.environment().into_iter().fold(program, |program, (name, value)| program.environment(name, value));
        let started = Instant::now();
        Ok(Self { process: stage.cluster.run(program).await?, started })
    }

    /// The processor time it has used, in user and system mode.
    pub(crate) fn cpu(&self) -> Result<Duration, Error> {
        let stat = self.proc("stat")?;
        // The second field is the name in parentheses; user and system time are the 14th and 15th.
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default().split(' ');
        let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        match ticks[..] {
            [user, system] => Ok(Duration::from_secs_f64((user + system) / TICKS)),
            _ => Err(Error::Measure("/proc/PID/stat has another form".to_owned())),
        }
    }

    /// Its peak memory, in bytes (resident set).
    pub(crate) fn peak_memory(&self) -> Result<u64, Error> {
        peak_memory(self.process.pid()).map_err(|error| self.unmeasurable(&error))
    }

    /// Kills it (SIGKILL).
    pub(crate) async fn kill(&self) -> Result<(), Error> {
        self.process.kill().await?;
        Ok(())
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        self.process.log_tail(20)
    }

    fn proc(&self, file: &str) -> Result<String, Error> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.pid()))
            .map_err(|error| self.unmeasurable(&error))
    }

    fn unmeasurable(&self, error: &std::io::Error) -> Error {
        Error::Measure(format!("{error}; its log ends with\n{}", self.log()))
    }
}
