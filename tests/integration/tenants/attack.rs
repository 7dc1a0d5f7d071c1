//! A row of `attacks.yaml`.

use serde::Deserialize;
use serde_json::Value;

/// Attacks that have something in common.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What.
    #[serde(rename = "group")]
    pub _name: String,
    pub attacks: Vec<Attack>,
}

/// One attack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Of the namespace.
    pub name: String,
    /// In words.
    #[serde(rename = "attack")]
    pub _what: String,
    /// How it is refused, in words.
    #[serde(rename = "refused")]
    pub _refused: String,
    /// The advisory of ESO that it repeats.
    #[serde(rename = "advisory")]
    pub _advisory: Option<String>,
    /// What an administrator made before.
    #[serde(default)]
    pub given: Vec<Value>,
    /// What the tenant's own vault does.
    pub vault: Option<VaultFault>,
    /// What the attacker applies, one after the other.
    pub manifests: Vec<Value>,
    /// What an administrator makes after that.
    #[serde(default)]
    pub later: Vec<Value>,
    /// What must come of the last of them.
    pub seen: Seen,
}

/// What a vault does to its clients.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultFault {
    NextLink,
    Redirect,
    Endless,
    Large,
    Hangs,
}

/// What must be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Seen {
    /// The API server refuses the last manifest with these words, and the controllers would with those.
    Denied { denied: String, checked: Option<String> },
    /// The condition Ready of the last manifest.
    Ready {
        ready: String,
        says: Vec<String>,
        /// Words of an event about it.
        event: Option<String>,
    },
    /// What a ClusterExternalSecret for the attacker and the victim says of the attacker's namespace: with these words that it
    /// has failed, or nothing where the ExternalSecret is to be gone, or else that its ExternalSecret is as it should be.
    Parent {
        parent: String,
        failed: Option<String>,
        #[serde(default)]
        gone: bool,
    },
    /// What the cert-controller may not do, as arguments of `kubectl auth can-i`.
    MayNot {
        #[serde(rename = "mayNot")]
        may_not: Vec<String>,
    },
}

/// All rows.
pub fn all() -> Vec<Attack> {
    let groups: Vec<Group> = serde_saphyr::from_str(include_str!("attacks.yaml")).unwrap();
    groups.into_iter().flat_map(|group| group.attacks).collect()
}
