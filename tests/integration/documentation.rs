//! Every runnable command in the documentation works as a person would type it: on a real API server, with the charts
//! and the processes they deploy. `sh` blocks must succeed; the commands of `console` blocks must print what the page
//! shows.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use external_secrets::sandbox::{Config, RegistryRole, SecretPermission};
use serde_json::json;
use test_stage::markdown::{Block, blocks, pages};
use test_stage::world::World;

use crate::helm::{Tools, repository};
use crate::node::Node;

/// How long a command may take; longer than the commands' own timeouts.
const DEADLINE: Duration = Duration::from_secs(150);

/// How long a command's output may take to become what the page shows.
const SETTLE: Duration = Duration::from_mins(1);

// The names in the documentation and the examples.
const TENANT: &str = "00000000-0000-0000-0000-0000000000aa";
const CLIENT: &str = "00000000-0000-0000-0000-00000000c11e";
const VAULT: &str = "my-key-container";
const REGISTRY: &str = "myregistry";

/// The service accounts of the pages, which Entra ID trusts.
const TRUSTED: [&str; 4] = [
    "qmonus-system:azure-key-vault",
    "qmonus-system:external-secrets-operator",
    "team-a:vault-reader",
    "team-b:vault-reader",
];

/// Pages that install, upgrade and remove the charts themselves. The others run with the chart installed.
const INSTALLATION: [&str; 2] = ["README.md", "docs/install.md"];
const UPGRADE: [&str; 1] = ["docs/upgrade-from-eso.md"];

/// Pages that create everything they use, and remove it at the end.
const WALKTHROUGH: [&str; 2] = ["docs/walkthrough.md", "docs/ja/walkthrough.md"];

/// Pages with the same commands as the English ones, which a repository test checks.
const TRANSLATED: [&str; 3] = ["docs/ja/diagnosis.md", "docs/ja/install.md", "docs/ja/troubleshooting.md"];

/// What a page's blocks run with.
struct Desk {
    world: &'static World,
    tools: Tools,
    node: Node,
    kinds: String,
}

impl Desk {
    async fn new() -> Self {
        let world = World::empty(Config { tenant: TENANT.to_owned(), ..Config::default() }).await;
        let mut application = world.sandbox.default_tenant().application(CLIENT);
        for account in TRUSTED {
            application = application.federate(world.cluster.issuer_url(), &format!("system:serviceaccount:{account}"));
        }
        let vault = world.sandbox.vault(VAULT).unwrap().allow(
            &application,
            [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List],
        );
        vault.set_secret("qvs-secret-manager", "Hello, Qmonus Value Stream!").unwrap();
        let registry = world.sandbox.registry(REGISTRY).unwrap();
        registry.assign(&application, RegistryRole::AcrPull);
        let tools = Tools::of(&world.cluster);
        for entry in ["Cargo.toml", "crds", "docs", "examples", "helm"] {
            std::os::unix::fs::symlink(repository(entry), tools.home.path().join(entry)).unwrap();
        }
        let programs = tools.home.path().join("bin");
        std::fs::create_dir(&programs).unwrap();
        // From a person's machine, too, Azure is reached, and here that is the sandbox.
        let variables = world.sandbox.environment();
        let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
        let variables = variables.join(" ");
        let program = programs.join("external-secrets");
        let script = format!("#!/bin/sh\nexec env {variables} {} \"$@\"\n", env!("CARGO_BIN_EXE_external-secrets"));
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        for program in ["az", "cargo"] {
            let source = repository(&format!("tests/integration/documentation/{program}"));
            std::os::unix::fs::symlink(source, programs.join(program)).unwrap();
        }
        Self { world, tools, node: Node::start(world).await, kinds: String::new() }
    }

    /// Runs a script in a checkout; returns its output and whether it succeeded.
    async fn run(&self, script: &str) -> (bool, String) {
        let mut command = self.tools.command(std::path::Path::new("bash"));
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
        let programs = std::iter::once(self.tools.home.path().join("bin"));
        let path = std::env::join_paths(programs.chain(std::env::split_paths(&path))).unwrap();
        command
            .args(["-euo", "pipefail", "-c", &format!("exec 2>&1\n{script}")])
            .current_dir(self.tools.home.path())
            .env("PATH", path)
            .env("SANDBOX", self.world.sandbox.proxy_url())
            .envs([("VAULT", VAULT), ("CLIENT_ID", CLIENT), ("TENANT_ID", TENANT)]);
        let mut command = tokio::process::Command::from(command);
        let output = tokio::time::timeout(DEADLINE, command.kill_on_drop(true).output()).await;
        let output = output.unwrap_or_else(|_| panic!("no end after {DEADLINE:?}: {script}")).unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The first steps of the installation page.
    async fn install(&mut self) {
        let release = "external-secrets-operator helm/external-secrets --namespace qmonus-system --create-namespace";
        let (success, output) = self.run(&format!("helm upgrade --install {release}")).await;
        assert!(success, "{output}");
        self.settle().await;
        let wait = "kubectl wait --for=condition=Available deployment --all --namespace qmonus-system --timeout=90s";
        let (success, output) = self.run(wait).await;
        assert!(success, "{output}\n{}", self.node.logs());
    }

    /// Lets the node see a command's changes, and the garbage collector see new kinds.
    async fn settle(&mut self) {
        self.node.looked().await;
        let (_, kinds) = self.run("kubectl get crd --output name").await;
        if kinds != self.kinds {
            self.world.cluster.restart_controller_manager().await.unwrap();
            self.kinds = kinds;
        }
    }

    async fn run_page(&mut self, page: &str) {
        for block in blocks(page).iter().filter(|block| block.is_shell() && block.not_run().is_none()) {
            if let Err(problem) = self.run_block(block).await {
                let log = self.node.logs();
                let end =
                    log.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
                panic!("{}:{}: {problem}\nthe end of the logs:\n{end}", block.page, block.line);
            }
        }
    }

    async fn run_block(&mut self, block: &Block) -> Result<(), String> {
        if block.language == "console" {
            for (command, shown) in block.commands() {
                self.show(&command, &shown).await?;
                self.settle_after(&command).await;
            }
            return Ok(());
        }
        let (success, output) = self.run(&block.text).await;
        self.settle_after(&block.text).await;
        if success { Ok(()) } else { Err(format!("{}{output}", block.text)) }
    }

    async fn settle_after(&mut self, script: &str) {
        if script.contains("helm ") || script.contains("crds/") {
            self.settle().await;
        }
    }

    /// Runs a command until it prints what the page shows, if it may be repeated.
    async fn show(&self, command: &str, expected: &[String]) -> Result<(), String> {
        let started = Instant::now();
        let asks =
            ["kubectl get ", "kubectl describe ", "kubectl auth can-i "].iter().any(|verb| command.starts_with(verb));
        loop {
            let (success, output) = self.run(command).await;
            let fails = expected.first().is_some_and(|line| line.starts_with("Error") || line == "no");
            match first_missing(&output, expected) {
                None if success != fails => return Ok(()),
                _ if asks && started.elapsed() < SETTLE => tokio::time::sleep(Duration::from_millis(300)).await,
                missing => return Err(format!("$ {command}\n{output}lacks: {missing:?}")),
            }
        }
    }
}

/// The first expected line that is missing, or out of order, in the output.
fn first_missing(shown: &str, expected: &[String]) -> Option<String> {
    let mut shown = shown.lines().map(without_ages);
    let expected = expected.iter().filter(|line| !line.trim().is_empty() && line.trim() != "...");
    expected.into_iter().find(|line| !shown.any(|found| found == without_ages(line))).cloned()
}

/// The words of a line, with all ages equal.
fn without_ages(line: &str) -> Vec<String> {
    let is_age = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h', 'd'])
            && word.chars().all(|character| character.is_ascii_digit() || "smhd".contains(character))
    };
    line.split_whitespace().map(|word| if is_age(word) { "(age)".to_owned() } else { word.to_owned() }).collect()
}

#[test]
fn what_stands_on_a_page_must_be_shown_in_its_order() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let shown = "NAME   AGE\na      12s\nb      3m4s\n";
    assert_eq!(first_missing(shown, &lines("NAME AGE\na 1s\n...\nb 2h")), None);
    assert_eq!(first_missing(shown, &lines("b 1s\na 1s")).as_deref(), Some("a 1s"));
    assert_eq!(first_missing(shown, &lines("NAME\n")).as_deref(), Some("NAME"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_pages_that_install_and_upgrade_work() {
    let mut desk = Desk::new().await;
    for page in INSTALLATION {
        desk.run_page(page).await;
    }
    // All of it is removed at the end.
    desk.install_former().await;
    for page in UPGRADE {
        desk.run_page(page).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_all_other_pages_work() {
    let mut desk = Desk::new().await;
    desk.install().await;
    for page in WALKTHROUGH {
        desk.run_page(page).await;
    }
    let (success, output) = desk.run("kubectl apply -f examples/walkthrough/").await;
    assert!(success, "{output}");
    let known = [&INSTALLATION[..], &UPGRADE, &WALKTHROUGH, &TRANSLATED].concat();
    for page in pages().iter().filter(|page| !known.contains(&&***page)) {
        desk.run_page(page).await;
    }
}

impl Desk {
    /// A release that looks like ESO's from outside: its name, labels and CRDs, and a Secret that it has synced.
    async fn install_former(&mut self) {
        let folder = self.tools.home.path().join("former");
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n").unwrap();
        let labels =
            json!({"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/instance": "external-secrets"});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-secrets"},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "external-secrets", "image": "former", "args": ["--concurrent=1"]}]},
            }},
        });
        std::fs::write(folder.join("templates/deployment.yaml"), deployment.to_string()).unwrap();
        for definition in external_secrets::api::crd::all() {
            let definition = serde_json::to_value(definition).unwrap();
            let name = definition["metadata"]["name"].as_str().unwrap();
            // Braces in the schema's descriptions are not templates.
            let text = serde_json::to_string(&definition).unwrap().replace("{{", "{{`{{`}}");
            std::fs::write(folder.join(format!("templates/{name}.yaml")), text).unwrap();
        }
        let install = "helm upgrade --install external-secrets former --namespace external-secrets --create-namespace \
             --set replicaCount=1\n\
             timeout 60 sh -c 'until kubectl wait --for=condition=Established crd --all; do :; done'\n\
             kubectl apply -f examples/walkthrough/";
        let (success, output) = self.run(install).await;
        assert!(success, "{output}");
        self.settle().await;
        let controller = self.world.start_controller("former", &[]).await;
        let (success, output) =
            self.run("kubectl wait --for=condition=Ready externalsecret/example --timeout=60s").await;
        assert!(success, "{output}\n{}", controller.log());
        controller.kill().await;
    }
}
