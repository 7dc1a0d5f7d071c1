//! Runs the controller as a cluster does: a process that exits is restarted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use test_stage::api_proxy::ApiProxy;
use test_stage::controller_process::Controller;
use test_stage::world::World;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// When a controller may exit by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Never, whatever happens.
    Never,
    /// With exit code 1 when it loses the leadership, and with 0 when asked to stop.
    WithItsLeadership,
}

/// One controller, behind its own proxy.
pub struct Replica {
    /// Also its host name.
    pub name: String,
    /// Between it and the API server.
    pub proxy: ApiProxy,
    world: &'static World,
    arguments: Vec<String>,
    ends: Ends,
    running: Mutex<Option<Arc<Controller>>>,
    kills: AtomicU32,
    surprises: Mutex<Vec<String>>,
    stopped: CancellationToken,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Replica {
    /// Starts it, and restarts it whenever it exits.
    pub async fn start(world: &'static World, name: &str, arguments: Vec<String>, ends: Ends) -> Arc<Self> {
        let proxy = ApiProxy::start(world.cluster.kubeconfig(), world.cluster.directory()).await;
        proxy.pass();
        let replica = Arc::new(Self {
            name: name.to_owned(),
            proxy,
            world,
            arguments,
            ends,
            running: Mutex::default(),
            kills: AtomicU32::new(0),
            surprises: Mutex::default(),
            stopped: CancellationToken::new(),
            keeper: Mutex::default(),
        });
        replica.launch().await;
        *replica.keeper.lock().unwrap() = Some(tokio::spawn(Arc::clone(&replica).keep()));
        replica
    }

    async fn launch(&self) {
        let mut environment = self.world.sandbox.environment();
        environment.push(("KUBECONFIG".to_owned(), self.proxy.kubeconfig.display().to_string()));
        environment.push(("HOSTNAME".to_owned(), self.name.clone()));
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        let log = self.world.log_of(&self.name);
        let controller = Controller::start(&self.world.cluster, &arguments, environment, &log).await;
        *self.running.lock().unwrap() = Some(Arc::new(controller));
    }

    async fn keep(self: Arc<Self>) {
        loop {
            let controller = self.controller();
            let Some(exit) = self.stopped.run_until_cancelled(controller.exited()).await else { return };
            let was_killed = self.kills.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |kills| kills.checked_sub(1));
            let may_end = self.ends == Ends::WithItsLeadership && matches!(exit.code, Some(0 | 1));
            if was_killed.is_err() && !may_end {
                self.surprises.lock().unwrap().push(format!("{} ended: {exit}", self.name));
            }
            drop(controller);
            self.launch().await;
        }
    }

    /// The current process.
    pub fn controller(&self) -> Arc<Controller> {
        self.running.lock().unwrap().clone().expect("it was started")
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&self) {
        let controller = self.controller();
        self.kills.fetch_add(1, Ordering::SeqCst);
        controller.kill().await;
    }

    /// Ends it for good.
    pub async fn stop(&self) {
        self.stopped.cancel();
        let keeper = self.keeper.lock().unwrap().take();
        keeper.expect("it is stopped once").await.unwrap();
        self.controller().kill().await;
    }

    /// Takes the exits that no fault caused.
    pub fn take_surprises(&self) -> Vec<String> {
        std::mem::take(&mut *self.surprises.lock().unwrap())
    }
}
