//! The sandbox as its clients see it: over TLS, through the proxy.

mod access;
mod certificate;
mod certificates;
mod client;
mod control;
mod entra;
mod faults;
mod keys;
mod machine;
mod proxy;
mod registry;
mod secrets;
mod soft_delete;

use std::sync::LazyLock;

use super::{Application, Config, Sandbox, SecretPermission, ServiceAccountIssuer, ServiceAccountToken, Vault};
use client::Client;

/// One issuer for all tests, because generating its key takes a while.
static ISSUER: LazyLock<ServiceAccountIssuer> =
    LazyLock::new(|| ServiceAccountIssuer::rsa("https://cluster.example").unwrap());

const CLIENT_ID: &str = "0a1b2c3d-0000-4000-8000-000000000001";

/// A sandbox with an identity that the cluster's service account `team-a/reader` may use.
struct World {
    sandbox: Sandbox,
    application: Application,
    client: Client,
}

impl World {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.set_issuer(ISSUER.url(), ISSUER.keys().unwrap());
        let application = sandbox
            .default_tenant()
            .application(CLIENT_ID)
            .federate(ISSUER.url(), "system:serviceaccount:team-a:reader");
        let client = Client::new(&sandbox);
        Self { sandbox, application, client }
    }

    /// A new vault in which the identity may do everything with secrets.
    fn vault(&self) -> Vault {
        self.sandbox.vault("team-a-kv").unwrap().allow(&self.application, SecretPermission::ALL)
    }

    /// An access token of the identity for vaults.
    async fn token(&self) -> String {
        let assertion = ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
        self.client.token(&self.application, &assertion).await
    }
}
