//! The supervisor's own process.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::process::Program;
use super::protocol::{Exit, Report, Request, Signal};

/// Runs programs as the standard input instructs, until it ends or SIGTERM arrives. Then kills them all and removes the
/// folder.
///
/// # Errors
/// If the folder cannot be created, or signals or the standard input cannot be received.
pub async fn serve() -> std::io::Result<()> {
    let directory = tempfile::Builder::new().prefix("external-secrets-").tempdir()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut requests = read_requests()?;
    let mut service = Service::default();
    report(&Report::Ready { directory: directory.path().to_owned() });
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(request) => service.obey(request),
                None => break,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    service.end().await;
    remove(directory, service.logs)
}

#[derive(Default)]
struct Service {
    /// The channel to the task that watches each process.
    signals: HashMap<u64, mpsc::UnboundedSender<Signal>>,
    processes: JoinSet<()>,
    logs: Logs,
}

#[derive(Clone, Copy, Default)]
enum Logs {
    #[default]
    Remove,
    Keep,
}

impl Service {
    fn obey(&mut self, request: Request) {
        match request {
            Request::Start { id, program } => match spawn(&program) {
                Ok(child) => {
                    report(&Report::Started { id, pid: child.id().unwrap_or_default() });
                    let (sender, receiver) = mpsc::unbounded_channel();
                    self.signals.insert(id, sender);
                    self.processes.spawn(watch(id, child, receiver));
                }
                Err(error) => report(&Report::Failed { id, reason: error.to_string() }),
            },
            Request::Signal { id, signal } => {
                // The receiver is gone when the process is.
                if self.signals.get(&id).is_some_and(|process| process.send(signal).is_err()) {
                    self.signals.remove(&id);
                }
            }
            Request::KeepLogs => self.logs = Logs::Keep,
        }
    }

    /// Kills what is still running, and waits for it to end.
    async fn end(&mut self) {
        for process in self.signals.values() {
            let _ended = process.send(Signal::Kill);
        }
        while self.processes.join_next().await.is_some() {}
    }
}

fn spawn(program: &Program) -> std::io::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(&program.log)?;
    Command::new(&program.path)
        .args(&program.arguments)
        .env_clear()
        .envs(&program.environment)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Passes signals on to a process until it has ended.
///
/// Nothing else waits for the process, so its ID cannot be reused while this runs.
async fn watch(id: u64, mut child: Child, mut signals: mpsc::UnboundedReceiver<Signal>) {
    loop {
        tokio::select! {
            status = child.wait() => {
                let exit = status.map_or(Exit { code: None, signal: None }, Exit::from);
                report(&Report::Exited { id, exit });
                return;
            }
            Some(signal) = signals.recv() => send(&child, signal),
        }
    }
}

fn send(child: &Child, signal: Signal) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw) else {
        return;
    };
    let signal = match signal {
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Pause => rustix::process::Signal::STOP,
        Signal::Resume => rustix::process::Signal::CONT,
    };
    // It fails only if the process has ended, which was the aim.
    let _ended = rustix::process::kill_process(pid, signal);
}

/// A line that cannot be written has no reader: the parent is gone, and the end of the standard input will tell.
fn report(report: &Report) {
    let mut output = std::io::stdout().lock();
    if serde_json::to_writer(&mut output, report).is_ok() {
        let _no_reader = output.write_all(b"\n").and_then(|()| output.flush());
    }
}

/// Reads requests on a separate thread, which does not keep the process alive.
fn read_requests() -> std::io::Result<mpsc::UnboundedReceiver<Request>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("requests".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Some(request) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { return };
            if sender.send(request).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Removes the folder, or everything in it except the logs.
fn remove(directory: TempDir, logs: Logs) -> std::io::Result<()> {
    match logs {
        Logs::Remove => directory.close(),
        Logs::Keep => remove_all_but_logs(&directory.keep()),
    }
}

fn remove_all_but_logs(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else if path.extension().is_none_or(|extension| extension != "log") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
