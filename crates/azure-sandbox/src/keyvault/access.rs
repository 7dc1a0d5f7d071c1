//! Who may do what in a vault: access policies or roles, and the network.
//!
//! Sources: "Assign a Key Vault access policy", "Provide access to Key Vault keys, certificates, and secrets
//! with Azure role-based access control", "Configure network security for Azure Key Vault".

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::errors::KeyVaultError;
use super::object::ObjectKind;
use super::operation::{Operation, Verb};

/// A permission of an access policy.
pub trait Permission: Copy {
    /// What it allows.
    fn grant(self) -> Grant;
}

/// What a permission allows: an action, named as in access policies, on one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    kind: ObjectKind,
    word: &'static str,
}

impl Grant {
    /// What an operation requires.
    const fn for_operation(kind: ObjectKind, verb: Verb) -> Self {
        let word = match verb {
            Verb::Get | Verb::GetDeleted | Verb::GetPolicy | Verb::GetPending => "get",
            Verb::List | Verb::ListVersions | Verb::ListDeleted => "list",
            Verb::Set => "set",
            Verb::Create => "create",
            Verb::Import => "import",
            Verb::Update if matches!(kind, ObjectKind::Secret) => "set",
            Verb::Update | Verb::UpdatePolicy | Verb::DeletePending => "update",
            Verb::Delete => "delete",
            Verb::Recover => "recover",
            Verb::Purge => "purge",
        };
        Self { kind, word }
    }
}

/// The permissions of an access policy on one kind of object, with their names.
macro_rules! permissions {
    ($(#[$about:meta])* $name:ident: $kind:ident { $($(#[$meaning:meta])* $permission:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum $name {
            $($(#[$meaning])* $permission,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$permission),+];
        }

        impl Permission for $name {
            fn grant(self) -> Grant {
                let word = match self {
                    $(Self::$permission => $word,)+
                };
                Grant { kind: ObjectKind::$kind, word }
            }
        }

        impl AsRef<[Self]> for $name {
            fn as_ref(&self) -> &[Self] {
                std::slice::from_ref(self)
            }
        }
    };
}

permissions! {
    /// What an access policy can allow on secrets.
    SecretPermission: Secret {
        /// Read a value.
        Get = "get",
        /// List names.
        List = "list",
        /// Write values and attributes.
        Set = "set",
        /// Delete softly.
        Delete = "delete",
        /// Recover a deleted secret.
        Recover = "recover",
        /// Purge a deleted secret.
        Purge = "purge",
    }
}

permissions! {
    /// What an access policy can allow on keys.
    KeyPermission: Key {
        /// Read the public part.
        Get = "get",
        /// List names.
        List = "list",
        /// Create a key.
        Create = "create",
        /// Import a key.
        Import = "import",
        /// Write attributes.
        Update = "update",
        /// Delete softly.
        Delete = "delete",
        /// Recover a deleted key.
        Recover = "recover",
        /// Purge a deleted key.
        Purge = "purge",
    }
}

permissions! {
    /// What an access policy can allow on certificates. Reading a certificate's private key requires
    /// [`SecretPermission::Get`].
    CertificatePermission: Certificate {
        /// Read the certificate and its policy.
        Get = "get",
        /// List names.
        List = "list",
        /// Create a certificate.
        Create = "create",
        /// Import a certificate.
        Import = "import",
        /// Write attributes and the policy.
        Update = "update",
        /// Delete softly.
        Delete = "delete",
        /// Recover a deleted certificate.
        Recover = "recover",
        /// Purge a deleted certificate.
        Purge = "purge",
    }
}

/// Azure's built-in roles for Key Vault, as far as they concern a vault's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Key Vault Secrets User: read values.
    #[serde(rename = "Key Vault Secrets User")]
    SecretsUser,
    /// Key Vault Secrets Officer: everything with secrets.
    #[serde(rename = "Key Vault Secrets Officer")]
    SecretsOfficer,
    /// Key Vault Crypto User: read public keys, and use keys.
    #[serde(rename = "Key Vault Crypto User")]
    CryptoUser,
    /// Key Vault Crypto Officer: everything with keys.
    #[serde(rename = "Key Vault Crypto Officer")]
    CryptoOfficer,
    /// Key Vault Certificate User: read certificates, all secrets and public keys.
    #[serde(rename = "Key Vault Certificate User")]
    CertificateUser,
    /// Key Vault Certificates Officer: everything with certificates.
    #[serde(rename = "Key Vault Certificates Officer")]
    CertificatesOfficer,
    /// Key Vault Reader: names and attributes, public keys and certificates, but no secrets' values.
    #[serde(rename = "Key Vault Reader")]
    Reader,
    /// Key Vault Administrator: everything.
    #[serde(rename = "Key Vault Administrator")]
    Administrator,
}

impl Role {
    /// The data actions of the role's definition, without `Microsoft.KeyVault/vaults/`; `*` matches any text.
    ///
    /// Source: "Azure built-in roles for Security"
    /// (<https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security>).
    const fn data_actions(self) -> &'static [&'static str] {
        match self {
            Self::SecretsUser => &["secrets/getSecret/action", "secrets/readMetadata/action"],
            Self::SecretsOfficer => &["secrets/*"],
            Self::CryptoUser => &["keys/read", "keys/update/action"],
            Self::CryptoOfficer => &["keys/*"],
            Self::CertificateUser => {
                &["certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"]
            }
            Self::CertificatesOfficer => &["certificates/*"],
            Self::Reader => &["*/read", "secrets/readMetadata/action"],
            Self::Administrator => &["*"],
        }
    }

    fn allows(self, action: &str) -> bool {
        self.data_actions().iter().any(|allowed| match allowed.split_once('*') {
            None => *allowed == action,
            Some((start, end)) => action.starts_with(start) && action.ends_with(end),
        })
    }
}

/// The data action that an operation requires, without `Microsoft.KeyVault/vaults/`.
fn data_action(kind: ObjectKind, verb: Verb) -> String {
    let action = match verb {
        Verb::Get if kind == ObjectKind::Secret => "getSecret/action",
        Verb::List | Verb::ListVersions | Verb::GetDeleted | Verb::ListDeleted if kind == ObjectKind::Secret => {
            "readMetadata/action"
        }
        Verb::Get
        | Verb::List
        | Verb::ListVersions
        | Verb::GetDeleted
        | Verb::ListDeleted
        | Verb::GetPolicy
        | Verb::GetPending => "read",
        Verb::Set => "setSecret/action",
        Verb::Create => "create/action",
        Verb::Import => "import/action",
        Verb::Update | Verb::UpdatePolicy | Verb::DeletePending => "update/action",
        Verb::Delete => "delete",
        Verb::Recover => "recover/action",
        Verb::Purge => "purge/action",
    };
    format!("{}/{action}", kind.collection())
}

/// From where a vault can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// From everywhere.
    #[default]
    Open,
    /// The firewall rejects the client, whose address appears as this one.
    Firewall {
        /// For example `203.0.113.7`.
        client_address: String,
    },
    /// Only through private endpoints, which the client does not use.
    PrivateOnly,
}

/// How a vault authorizes requests.
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
    scope: Scope,
}

/// The scope of a role assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole vault.
    Vault,
    /// The object with this name.
    Object(ObjectKind, String),
}

impl Scope {
    fn covers(&self, operation: &Operation<'_>) -> bool {
        match self {
            Self::Vault => true,
            Self::Object(kind, object) => {
                *kind == operation.kind && operation.name.is_some_and(|name| name.eq_ignore_ascii_case(object))
            }
        }
    }
}

/// A vault's rules.
#[derive(Debug, Default)]
pub(crate) struct Access {
    mode: Mode,
    /// By object ID.
    policies: HashMap<String, HashSet<Grant>>,
    assignments: Vec<Assignment>,
    pub(crate) network: Network,
}

/// The caller, as named in refusals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) application_id: &'a str,
    pub(crate) object_id: &'a str,
    pub(crate) issuer: &'a str,
}

/// The vault, as named in refusals.
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
    pub(crate) fn allow(&mut self, object_id: &str, grants: impl Iterator<Item = Grant>) {
        self.mode = Mode::Policies;
        self.policies.entry(object_id.to_owned()).or_default().extend(grants);
    }

    pub(crate) fn assign(&mut self, object_id: &str, role: Role, scope: Scope) {
        self.mode = Mode::Roles;
        self.assignments.push(Assignment { object_id: object_id.to_owned(), role, scope });
    }

    pub(crate) fn use_roles(&mut self) {
        self.mode = Mode::Roles;
    }

    pub(crate) fn revoke(&mut self, object_id: &str) {
        self.policies.remove(object_id);
        self.assignments.retain(|assignment| assignment.object_id != object_id);
    }

    pub(crate) fn revoke_all(&mut self) {
        *self = Self { network: std::mem::take(&mut self.network), ..Self::default() };
    }

    /// Checks whether the network admits the caller.
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

    /// Checks whether the caller may do this.
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
        let needed = Grant::for_operation(operation.kind, operation.verb);
        if self.policies.get(caller.object_id).is_some_and(|granted| granted.contains(&needed)) {
            return Ok(());
        }
        Err(KeyVaultError::forbidden(
            "AccessDenied",
            format!(
                "The user, group or application '{}' does not have {} {} permission on key vault '{};location={}'. For \
                 help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                caller.describe(),
                operation.kind.collection(),
                needed.word,
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
        let action = data_action(operation.kind, operation.verb);
        let covered = self.assignments.iter().any(|assignment| {
            assignment.object_id == caller.object_id
                && assignment.role.allows(&action)
                && assignment.scope.covers(operation)
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
                 'Microsoft.KeyVault/vaults/{action}'\r\nResource: '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sandbox/providers/\
                 microsoft.keyvault/vaults/{}{object}'\r\nAssignment: (not found)\r\nDenyAssignmentId: \
                 null\r\nDecisionReason: null \r\nVault: {};location={}\r\n",
                caller.describe(),
                vault.name,
                vault.name,
                vault.location
            ),
        ))
    }
}
