//! Who may do what in a registry: roles, with or without conditions on names, and the network.

use serde::{Deserialize, Serialize};

use crate::keyvault::access::Network;

use super::errors::RegistryError;

/// Azure's built-in roles for registries, as far as they concern images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistryRole {
    /// `AcrPull`: pull, if the registry uses only roles.
    AcrPull,
    /// `AcrPush`: pull and push, under the same condition.
    AcrPush,
    /// `AcrDelete`: delete, under the same condition.
    AcrDelete,
    /// `Container Registry Repository Reader`: pull, if the registry uses roles and attributes (ABAC).
    RepositoryReader,
    /// `Container Registry Repository Writer`: pull and push, under the same condition.
    RepositoryWriter,
    /// `Container Registry Repository Contributor`: pull, push and delete, under the same condition.
    RepositoryContributor,
    /// `Container Registry Repository Catalog Lister`: names, but no images.
    CatalogLister,
}

impl RegistryRole {
    /// The actions on images that it allows.
    const fn actions(self, decides_by: DecidesBy) -> &'static [&'static str] {
        match (self, decides_by) {
            (Self::AcrPull, DecidesBy::Roles) | (Self::RepositoryReader, DecidesBy::Attributes) => &["pull"],
            (Self::AcrPush, DecidesBy::Roles) | (Self::RepositoryWriter, DecidesBy::Attributes) => &["pull", "push"],
            (Self::AcrDelete, DecidesBy::Roles) => &["delete"],
            (Self::RepositoryContributor, DecidesBy::Attributes) => &["pull", "push", "delete"],
            _ => &[],
        }
    }
}

/// How a registry authorizes requests (`roleAssignmentMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DecidesBy {
    #[default]
    Roles,
    Attributes,
}

#[derive(Clone, Debug)]
struct Assignment {
    object_id: String,
    role: RegistryRole,
    /// The prefix of the repositories that it applies to; all if empty.
    repositories: String,
}

/// A registry's rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    decides_by: DecidesBy,
    assignments: Vec<Assignment>,
    /// Whether tokens for Azure Resource Manager are refused (`azureADAuthenticationAsArmPolicy` is disabled).
    pub(super) refuses_resource_manager: bool,
    pub(super) network: Network,
}

/// Something that a token allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    #[serde(rename = "type")]
    type_: String,
    name: String,
    actions: Vec<String>,
}

impl Scope {
    /// To pull from a repository.
    pub(super) fn pull(name: &str) -> Self {
        Self { type_: "repository".to_owned(), name: name.to_owned(), actions: vec!["pull".to_owned()] }
    }

    /// Parses `repository:name:pull,push`, without wildcards in names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (type_, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions = actions.split(',').map(str::to_owned).collect();
        (!name.contains('*')).then(|| Self { type_: type_.to_owned(), name: name.to_owned(), actions })
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        self.type_ == other.type_
            && self.name == other.name
            && other.actions.iter().all(|action| self.actions.contains(action))
    }
}

impl Access {
    pub(super) fn assign(&mut self, object_id: &str, role: RegistryRole, repositories: &str) {
        let (object_id, repositories) = (object_id.to_owned(), repositories.to_owned());
        self.assignments.push(Assignment { object_id, role, repositories });
    }

    pub(super) fn revoke(&mut self, object_id: &str) {
        self.assignments.retain(|assignment| assignment.object_id != object_id);
    }

    pub(super) fn decide_by_attributes(&mut self) {
        self.decides_by = DecidesBy::Attributes;
    }

    /// Whether an identity has any role.
    pub(super) fn knows(&self, object_id: &str) -> bool {
        self.assignments.iter().any(|assignment| assignment.object_id == object_id)
    }

    /// The part of the requested scopes that an identity gets.
    pub(super) fn granted(&self, object_id: &str, asked: &[Scope]) -> Vec<Scope> {
        let granted = asked.iter().filter(|scope| scope.type_ == "repository").map(|scope| {
            let mine = self.assignments.iter().filter(|assignment| {
                assignment.object_id == object_id && scope.name.starts_with(&assignment.repositories)
            });
            let allowed: Vec<_> = mine.flat_map(|assignment| assignment.role.actions(self.decides_by)).collect();
            let actions = scope.actions.iter().filter(|action| allowed.iter().any(|allowed| *allowed == *action));
            Scope { actions: actions.cloned().collect(), ..scope.clone() }
        });
        granted.filter(|scope| !scope.actions.is_empty()).collect()
    }

    pub(super) fn check_network(&self) -> Result<(), RegistryError> {
        match &self.network {
            Network::Open => Ok(()),
            Network::Firewall { client_address } => Err(RegistryError::firewall(client_address)),
            Network::PrivateOnly => Err(RegistryError::firewall("203.0.113.1")),
        }
    }
}
