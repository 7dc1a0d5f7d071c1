//! Who may do what in a vault: access policies or roles, and the network.
//!
//! Sources: "Assign a Key Vault access policy", "Provide access to Key Vault keys, certificates, and secrets
//! with Azure role-based access control", "Configure network security for Azure Key Vault".

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::errors::KeyVaultError;
use super::object::ObjectKind;
use super::operation::{Operation, Verb};

/// What an access policy can allow on secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretPermission {
    /// Read a value.
    Get,
    /// List names.
    List,
    /// Write values and attributes.
    Set,
    /// Delete softly.
    Delete,
    /// Take a deleted secret back.
    Recover,
    /// Remove a deleted secret for good.
    Purge,
}

impl SecretPermission {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::List, Self::Set, Self::Delete, Self::Recover, Self::Purge];

    const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Purge => "purge",
        }
    }

    const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Get | Verb::GetDeleted => Self::Get,
            Verb::List | Verb::ListVersions | Verb::ListDeleted => Self::List,
            Verb::Set | Verb::Update => Self::Set,
            Verb::Delete => Self::Delete,
            Verb::Recover => Self::Recover,
            Verb::Purge => Self::Purge,
        }
    }
}

impl AsRef<[Self]> for SecretPermission {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
    }
}

/// Azure's built-in roles for Key Vault, as far as they concern what a vault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Key Vault Secrets User: read values.
    #[serde(rename = "Key Vault Secrets User")]
    SecretsUser,
    /// Key Vault Secrets Officer: everything with secrets.
    #[serde(rename = "Key Vault Secrets Officer")]
    SecretsOfficer,
    /// Key Vault Reader: names and attributes, no values.
    #[serde(rename = "Key Vault Reader")]
    Reader,
    /// Key Vault Administrator: everything.
    #[serde(rename = "Key Vault Administrator")]
    Administrator,
}

impl Role {
    const fn allows(self, kind: ObjectKind, action: DataAction) -> bool {
        match (self, kind) {
            (Self::Administrator, _) | (Self::SecretsOfficer, ObjectKind::Secret) => true,
            (Self::SecretsUser, ObjectKind::Secret) => {
                matches!(action, DataAction::GetSecret | DataAction::ReadMetadata)
            }
            (Self::Reader, _) => matches!(action, DataAction::ReadMetadata),
        }
    }
}

/// What a role allows, in the words of its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DataAction {
    GetSecret,
    ReadMetadata,
    SetSecret,
    Update,
    Delete,
    Recover,
    Purge,
}

impl DataAction {
    const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GetSecret,
            Verb::List | Verb::ListVersions | Verb::GetDeleted | Verb::ListDeleted => Self::ReadMetadata,
            Verb::Set => Self::SetSecret,
            Verb::Update => Self::Update,
            Verb::Delete => Self::Delete,
            Verb::Recover => Self::Recover,
            Verb::Purge => Self::Purge,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::GetSecret => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            Self::ReadMetadata => "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            Self::SetSecret => "Microsoft.KeyVault/vaults/secrets/setSecret/action",
            Self::Update => "Microsoft.KeyVault/vaults/secrets/update/action",
            Self::Delete => "Microsoft.KeyVault/vaults/secrets/delete",
            Self::Recover => "Microsoft.KeyVault/vaults/secrets/recover/action",
            Self::Purge => "Microsoft.KeyVault/vaults/secrets/purge/action",
        }
    }
}

/// From where a vault lets itself be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// From everywhere.
    #[default]
    Open,
    /// The firewall refuses the client, whose address it sees as this one.
    Firewall {
        /// For example `203.0.113.7`.
        client_address: String,
    },
    /// Only through private endpoints, and the client comes another way.
    PrivateOnly,
}

/// How a vault decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Policies,
    Roles,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    object_id: String,
    role: Role,
    /// The one secret it is for; `None`: the whole vault.
    secret: Option<String>,
}

/// A vault's rules.
#[derive(Debug, Default)]
pub(crate) struct Access {
    mode: Mode,
    secrets: HashMap<String, HashSet<SecretPermission>>,
    assignments: Vec<Assignment>,
    pub(crate) network: Network,
}

/// Who asks, as it stands in refusals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) application_id: &'a str,
    pub(crate) object_id: &'a str,
    pub(crate) issuer: &'a str,
}

/// The vault as it stands in refusals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VaultName<'a> {
    pub(crate) name: &'a str,
    pub(crate) location: &'a str,
}

impl Caller<'_> {
    fn describe(&self) -> String {
        format!("appid={};oid={};iss={}", self.application_id, self.object_id, self.issuer)
    }
}

impl Access {
    pub(crate) fn allow_secrets(&mut self, object_id: &str, permissions: &[SecretPermission]) {
        self.mode = Mode::Policies;
        self.secrets.entry(object_id.to_owned()).or_default().extend(permissions);
    }

    pub(crate) fn assign(&mut self, object_id: &str, role: Role, secret: Option<&str>) {
        self.mode = Mode::Roles;
        self.assignments.push(Assignment { object_id: object_id.to_owned(), role, secret: secret.map(str::to_owned) });
    }

    pub(crate) fn use_roles(&mut self) {
        self.mode = Mode::Roles;
    }

    pub(crate) fn revoke(&mut self, object_id: &str) {
        self.secrets.remove(object_id);
        self.assignments.retain(|assignment| assignment.object_id != object_id);
    }

    pub(crate) fn revoke_all(&mut self) {
        *self = Self { network: std::mem::take(&mut self.network), ..Self::default() };
    }

    /// Whether the caller's way to the vault is open.
    pub(crate) fn check_network(&self, caller: &Caller<'_>, vault: &VaultName<'_>) -> Result<(), KeyVaultError> {
        let ending = format!("Caller: {}\r\nVault: {};location={}", caller.describe(), vault.name, vault.location);
        match &self.network {
            Network::Open => Ok(()),
            Network::Firewall { client_address } => Err(KeyVaultError::forbidden(
                "ForbiddenByFirewall",
                format!(
                    "Client address is not authorized and caller is not a trusted service.\r\nClient address: \
                     {client_address}\r\n{ending}"
                ),
            )),
            Network::PrivateOnly => Err(KeyVaultError::forbidden(
                "ForbiddenByConnection",
                format!(
                    "Public network access is disabled and request is not from a trusted service nor via an approved \
                     private link.\r\n{ending}"
                ),
            )),
        }
    }

    /// Whether the caller may do this.
    pub(crate) fn check(
        &self,
        caller: &Caller<'_>,
        operation: &Operation<'_>,
        vault: &VaultName<'_>,
    ) -> Result<(), KeyVaultError> {
        match self.mode {
            Mode::Policies => self.check_policies(caller, operation, vault),
            Mode::Roles => self.check_roles(caller, operation, vault),
        }
    }

    fn check_policies(
        &self,
        caller: &Caller<'_>,
        operation: &Operation<'_>,
        vault: &VaultName<'_>,
    ) -> Result<(), KeyVaultError> {
        let permission = SecretPermission::of(operation.verb);
        if self.secrets.get(caller.object_id).is_some_and(|granted| granted.contains(&permission)) {
            return Ok(());
        }
        Err(KeyVaultError::forbidden(
            "AccessDenied",
            format!(
                "The user, group or application '{}' does not have {} {} permission on key vault '{};location={}'. For \
                 help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                caller.describe(),
                operation.kind.collection(),
                permission.word(),
                vault.name,
                vault.location
            ),
        ))
    }

    fn check_roles(
        &self,
        caller: &Caller<'_>,
        operation: &Operation<'_>,
        vault: &VaultName<'_>,
    ) -> Result<(), KeyVaultError> {
        let action = DataAction::of(operation.verb);
        let covered = self.assignments.iter().any(|assignment| {
            assignment.object_id == caller.object_id
                && assignment.role.allows(operation.kind, action)
                && assignment
                    .secret
                    .as_deref()
                    .is_none_or(|secret| operation.name.is_some_and(|name| name.eq_ignore_ascii_case(secret)))
        });
        if covered {
            return Ok(());
        }
        let object = operation
            .name
            .map(|name| format!("/{}/{}", operation.kind.collection(), name.to_ascii_lowercase()))
            .unwrap_or_default();
        Err(KeyVaultError::forbidden(
            "ForbiddenByRbac",
            format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or \
                 role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: \
                 '{}'\r\nResource: '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sandbox/providers/\
                 microsoft.keyvault/vaults/{}{object}'\r\nAssignment: (not found)\r\nDenyAssignmentId: \
                 null\r\nDecisionReason: null \r\nVault: {};location={}\r\n",
                caller.describe(),
                action.name(),
                vault.name,
                vault.name,
                vault.location
            ),
        ))
    }
}
