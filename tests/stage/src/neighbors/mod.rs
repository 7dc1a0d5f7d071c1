//! What one tenant creates to stop, flood or slow everyone else: the rows of `floods.yaml`, as objects of one
//! namespace.
//!
//! The integration tests create all of them at once and look at a neighbor; `make bench ARGS="--row neighbors"`
//! measures the neighbor next to each of them separately.

mod changes;
mod expansion;

use std::collections::BTreeMap;

use azure_sandbox::{Sandbox, SandboxError, SecretPermission};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Client, Resource as _};
use serde::Deserialize;
use serde_json::{Value, json};

use self::changes::Change;
pub use self::changes::Changing;

/// The service account of a tenant, whose token the stores of `floods.yaml` use.
pub const ACCOUNT: &str = "reader";

/// One row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// The namespace.
    pub name: String,
    /// The attack in words, for docs/security.md.
    pub attack: String,
    /// Why the neighbors do not notice, in words.
    pub refused: String,
    /// The secrets of the tenant's own vault.
    #[serde(default)]
    vault: Filling,
    /// What the tenant creates; see [`expansion`].
    objects: Vec<Value>,
    /// What the tenant changes all the time.
    #[serde(default)]
    changes: Vec<Change>,
}

/// `count` secrets `secret-N` of `size` bytes each.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filling {
    count: usize,
    size: usize,
}

/// Why a flood could not be put in place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The API server could not be asked.
    #[error("the API server: {0}")]
    Kube(#[from] kube::Error),
    /// The tenant has no vault.
    #[error("the emulated Azure: {0}")]
    Sandbox(#[from] SandboxError),
    /// The vault does not take a secret.
    #[error("the vault: {0}")]
    Vault(String),
    /// The rows cannot be read.
    #[error("floods.yaml: {0}")]
    Rows(String),
    /// An object cannot be written as JSON.
    #[error("a manifest: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// All rows.
///
/// # Errors
/// `floods.yaml` cannot be read.
pub fn all() -> Result<Vec<Flood>, PlaceError> {
    serde_saphyr::from_str(include_str!("floods.yaml")).map_err(|error| PlaceError::Rows(error.to_string()))
}

/// A flood in place.
pub struct Placed {
    /// What the API server said where it refused an object.
    pub refused: Vec<String>,
    /// What the tenant goes on to change.
    pub changing: Changing,
}

/// Where tenants live.
pub struct Ground<'a> {
    /// With the administrator's rights.
    pub client: &'a Client,
    /// The emulated Azure.
    pub sandbox: &'a Sandbox,
    /// The issuer of the cluster's tokens.
    pub issuer: &'a str,
    /// The vault that the neighbors read.
    pub neighbors_vault: String,
}

impl Flood {
    /// A tenant that does nothing.
    pub fn of_nothing(name: &str) -> Self {
        let text = String::new;
        Self {
            name: name.to_owned(),
            attack: text(),
            refused: text(),
            vault: Filling::default(),
            objects: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The same flood with at most this many copies of each object.
    #[must_use]
    pub fn with_at_most(mut self, copies: u64) -> Self {
        for object in &mut self.objects {
            if let Some(given) = object.get_mut("copies")
                && given.as_u64() > Some(copies)
            {
                *given = copies.into();
            }
        }
        for change in &mut self.changes {
            change.copies = change.copies.min(copies);
        }
        self
    }

    /// Creates the namespace with all objects of the row, and then changes them. Returns the API server's refusals.
    pub async fn place(&self, ground: &Ground<'_>) -> Result<Placed, PlaceError> {
        let names = self.settle(ground).await?;
        let mut refused = Vec::new();
        for object in expansion::expanded(&self.objects, &names) {
            refused.extend(create(ground.client, &self.name, object).await?);
        }
        let changing = changes::keep_making(&self.changes, &self.name, &names, ground.client);
        Ok(Placed { refused, changing })
    }

    /// Creates the namespace, its service account, its identity and its vault; returns the names that manifests may
    /// use.
    async fn settle(&self, ground: &Ground<'_>) -> Result<BTreeMap<&'static str, String>, PlaceError> {
        let Ground { client, sandbox, issuer, neighbors_vault } = ground;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}});
        create(client, &self.name, namespace).await?;
        let client_id = client_id(&self.name);
        let tenant = sandbox.default_tenant();
        let subject = format!("system:serviceaccount:{}:{ACCOUNT}", self.name);
        let identity = tenant.application(&client_id).federate(issuer, &subject);
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "annotations": {
                "azure.workload.identity/client-id": client_id,
                "azure.workload.identity/tenant-id": tenant.id(),
            }},
        });
        create(client, &self.name, account).await?;
        let permissions =
            [SecretPermission::Get, SecretPermission::List, SecretPermission::Set, SecretPermission::Delete];
        let vault = sandbox.vault(&self.name)?.allow(&identity, permissions);
        for number in 0..self.vault.count {
            let set = vault.set_secret(&format!("secret-{number}"), &"v".repeat(self.vault.size));
            set.map_err(|error| PlaceError::Vault(error.to_string()))?;
        }
        Ok(BTreeMap::from([
            ("ns", self.name.clone()),
            ("account", ACCOUNT.to_owned()),
            ("vault", vault.url()),
            ("tenant", tenant.id().to_owned()),
            ("neighbors-vault", neighbors_vault.clone()),
        ]))
    }
}

/// The outcomes of a namespace's ExternalSecrets: reason and message of their first condition, and how many have it.
pub async fn outcomes(client: &Client, namespace: &str) -> Result<BTreeMap<String, usize>, PlaceError> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"));
    let request = kube::core::Request::new(DynamicObject::url_path(&resource, Some(namespace)));
    let request = request.list(&ListParams::default()).map_err(|error| PlaceError::Vault(error.to_string()))?;
    let list: Value = serde_json::from_str(&client.request_text(request).await?)?;
    let mut outcomes = BTreeMap::new();
    for object in list["items"].as_array().into_iter().flatten() {
        let text = |field: &str| object["status"]["conditions"][0][field].as_str().unwrap_or("none yet").to_owned();
        *outcomes.entry(format!("{}: {}", text("reason"), text("message"))).or_insert(0) += 1;
    }
    Ok(outcomes)
}

/// An application id that only this tenant has.
fn client_id(name: &str) -> String {
    let number = name.bytes().fold(7_u64, |number, byte| number.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("00000000-0000-4000-9000-{:012}", number % 1_000_000_000_000)
}

/// Creates an object; returns the API server's answer if it refuses.
pub async fn create(client: &Client, namespace: &str, object: Value) -> Result<Option<String>, PlaceError> {
    let (kind, url) = place_of(&object, namespace);
    // As text, since this client's types do not accept everything the API server accepts.
    let request = kube::core::Request::new(url);
    let request = request.create(&PostParams::default(), serde_json::to_vec(&object)?);
    let request = request.map_err(|error| PlaceError::Vault(error.to_string()))?;
    match client.request_text(request).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            Ok(Some(format!("{kind} {name}: {} {}", status.code, status.message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The kind of an object, and the path of such objects.
fn place_of(object: &Value, namespace: &str) -> (String, String) {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let namespace = (kind != "Namespace").then_some(namespace);
    (kind, DynamicObject::url_path(&resource, namespace))
}
