//! A row of `attacks.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Related attacks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What they have in common.
    #[serde(rename = "group")]
    pub _name: String,
    pub attacks: Vec<Attack>,
}

/// One attack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Also the name of the namespace.
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
    /// What an administrator created earlier.
    #[serde(default)]
    pub given: Vec<Value>,
    /// What the tenant's own vault does.
    pub vault: Option<VaultFault>,
    /// What the attacker applies, one after another.
    pub manifests: Vec<Value>,
    /// What an administrator creates after that.
    #[serde(default)]
    pub later: Vec<Value>,
    /// The required outcome for the last manifest.
    pub seen: Seen,
}

/// How a vault misbehaves.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultFault {
    NextLink,
    Redirect,
    Endless,
    Large,
    Hangs,
}

/// The required outcome.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Seen {
    /// The API server rejects the last manifest with the first text; the controllers' own checks report the second.
    Denied { denied: String, checked: Option<String> },
    /// The Ready condition of the last manifest.
    Ready {
        ready: String,
        says: Vec<String>,
        /// Text in an event about it.
        event: Option<String>,
    },
    /// What a ClusterExternalSecret for the attacker and the victim reports about the attacker's namespace: a failure
    /// with this text; or, if the ExternalSecret must be gone, nothing; or else that its ExternalSecret is up to date.
    Parent {
        parent: String,
        failed: Option<String>,
        #[serde(default)]
        gone: bool,
    },
    /// The Ready conditions of the ExternalSecrets of a ClusterExternalSecret, by namespace.
    Children { child: String, ready: BTreeMap<String, String> },
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
