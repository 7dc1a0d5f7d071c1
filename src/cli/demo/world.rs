//! The demo's surroundings: a cluster, an emulated Azure, and the controller.

use std::path::PathBuf;
use std::time::Instant;

use crate::sandbox::{Application, Config, IssuerKeys, Sandbox, SecretPermission, Vault};

use super::error::Error;
use super::home::Home;
use super::story::Change;

// The names used in examples/walkthrough.
const TENANT: &str = "00000000-0000-0000-0000-0000000000aa";
const CLIENT: &str = "00000000-0000-0000-0000-00000000c11e";
const SUBJECT: &str = "system:serviceaccount:qmonus-system:azure-key-vault";
const VAULT: &str = "my-key-container";
const SECRET: &str = "qvs-secret-manager";

/// The subject that the application trusts while the federation is broken.
const OTHER_SUBJECT: &str = "system:serviceaccount:qmonus-system:somebody-else";

/// A cluster, an emulated Azure that trusts it, and the controller.
pub(super) struct World {
    home: Home,
    sandbox: Sandbox,
    application: Application,
    issuer: &'static str,
    vault: Vault,
}

impl World {
    /// Starts everything but the controller. The cluster is that of a node if `node`, the folder with its files, is
    /// given.
    pub(super) async fn start(node: Option<PathBuf>) -> Result<Self, Error> {
        let begin = Instant::now();
        let home = if let Some(folder) = node {
            progress("starting an emulator of Entra ID and Key Vault beside the cluster with a node");
            Home::on_node(folder)
        } else {
            progress(
                "starting etcd, kube-apiserver and kube-controller-manager, and an emulator of Entra ID and Key Vault",
            );
            Home::beside().await?
        };
        // Inside the cluster's folder, so that it is removed with it.
        let folder = Some(home.folder().join("azure"));
        let config = Config { tenant: TENANT.to_owned(), folder, port: home.azure_port(), ..Config::default() };
        let sandbox = Sandbox::start(config).await?;
        let (issuer, key) = home.issuer()?;
        sandbox.set_issuer(issuer, IssuerKeys::from_pem(&key)?);
        let application = sandbox.default_tenant().application(CLIENT).federate(issuer, SUBJECT);
        let vault = sandbox.vault(VAULT)?.allow(&application, SecretPermission::Get);
        progress(&format!("ready after {:.1} s", begin.elapsed().as_secs_f32()));
        Ok(Self { home, sandbox, application, issuer, vault })
    }

    /// Where the controller runs.
    pub(super) const fn home(&self) -> &Home {
        &self.home
    }

    /// The emulated Azure.
    pub(super) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Changes something in Azure. Returns the new version if it wrote a secret.
    pub(super) fn apply(&self, change: Change) -> Result<Option<String>, Error> {
        match change {
            Change::SetSecret(value) => {
                let version = self.vault.set_secret(SECRET, value);
                return version.map(Some).map_err(|error| Error::Vault(error.to_string()));
            }
            Change::BreakFederation => self.application.clear_federation().federate(self.issuer, OTHER_SUBJECT),
            Change::MendFederation => self.application.clear_federation().federate(self.issuer, SUBJECT),
        };
        Ok(None)
    }
}

impl Change {
    /// What a person would type to do this in the real Azure.
    pub(super) fn command(self) -> String {
        let subject = match self {
            Self::SetSecret(value) => {
                return format!("az keyvault secret set --vault-name {VAULT} --name {SECRET} --value '{value}'");
            }
            Self::BreakFederation => OTHER_SUBJECT,
            Self::MendFederation => SUBJECT,
        };
        format!("az ad app federated-credential update --id {CLIENT} ... # \"subject\": \"{subject}\"")
    }
}

/// Reports progress, which is not part of the demo's output.
#[allow(clippy::print_stderr, reason = "progress for the person at the terminal")]
fn progress(what: &str) {
    eprintln!("demo: {what}");
}
