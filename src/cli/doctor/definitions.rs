//! Checks the CRDs: whether they exist, serve what is needed, and are ours or ESO's.

use kube::api::{ApiResource, GroupVersionKind};
use kube::core::DynamicObject;
use serde_json::Value;

use super::finding::{Check, Finding};
use super::patient::Patient;
use crate::answers::Objects;
use crate::api::GROUP;
use crate::api::v1::{ClusterExternalSecret, ExternalSecret, StoreKind};
use crate::controller::core::api_call::bounded;

const THERE: Check = Check::new("crds", "crds-there");
const SERVED: Check = Check::new("crds", "crds-served");
const STORED: Check = Check::new("crds", "crds-stored-versions");
const WHOSE: Check = Check::new("crds", "crds-whose");

/// Our kinds, and whether the controller needs them.
const KINDS: [(&str, bool); 4] = [
    (ExternalSecret::PLURAL, true),
    (StoreKind::SecretStore.plural(), true),
    (StoreKind::ClusterSecretStore.plural(), true),
    (ClusterExternalSecret::PLURAL, false),
];

const INSTALL: &str = "Install them with the chart, or apply what `external-secrets crds` prints.";
const PAGE: &str = "docs/install.md";

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let resource =
        ApiResource::from_gvk(&GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    let api: Objects<DynamicObject> = Objects::all(patient.client.clone(), &resource);
    let (mut there, mut missing, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for (plural, is_needed) in KINDS {
        match bounded(api.get_opt(&format!("{plural}.{GROUP}"))).await {
            Ok(Some(definition)) => there.push((plural, definition.data)),
            Ok(None) if is_needed => missing.push(plural),
            Ok(None) => {}
            Err(error) => return vec![THERE.skipped("CustomResourceDefinitions", &error)],
        }
    }
    if missing.is_empty() {
        findings.push(THERE.ok(format!("{} CRDs are there", there.len())));
    } else {
        findings.push(THERE.failed(format!("no CRD of {}", missing.join(", ")), INSTALL, PAGE));
    }
    findings.extend(served(&there));
    findings.extend(stored(&there));
    findings.extend(whose(&there));
    findings
}

fn served(definitions: &[(&str, Value)]) -> Vec<Finding> {
    let serves = |definition: &Value| {
        let versions = definition["spec"]["versions"].as_array();
        versions.into_iter().flatten().any(|version| version["served"] == true && version["name"] == "v1")
    };
    let without: Vec<_> = definitions.iter().filter(|(_, crd)| !serves(crd)).map(|(plural, _)| *plural).collect();
    if definitions.is_empty() {
        Vec::new()
    } else if without.is_empty() {
        vec![SERVED.ok("all serve v1")]
    } else {
        let message = format!("{} serve only v1beta1, not v1", without.join(", "));
        vec![SERVED.warning(message, "Upgrade them: manifests of v1 are refused until then.", PAGE)]
    }
}

/// As long as a version may be stored, the next release of a chart cannot remove it.
fn stored(definitions: &[(&str, Value)]) -> Option<Finding> {
    let old: Vec<_> = definitions
        .iter()
        .filter_map(|(plural, crd)| {
            let versions = crd["status"]["storedVersions"].as_array()?;
            let old: Vec<_> = versions.iter().filter_map(Value::as_str).filter(|version| *version != "v1").collect();
            (!old.is_empty()).then(|| format!("{plural} ({})", old.join(", ")))
        })
        .collect();
    if definitions.is_empty() {
        return None;
    }
    Some(if old.is_empty() {
        STORED.ok("all objects are stored as v1")
    } else {
        STORED.warning(
            format!("objects may be stored in an older version: {}", old.join(", ")),
            "Run `external-secrets migrate stored-versions`: it writes each once, and removes the version from `status.storedVersions`.",
            "docs/upgrade-from-eso.md",
        )
    })
}

/// Our CRDs have a field that ESO's lack.
fn whose(definitions: &[(&str, Value)]) -> Option<Finding> {
    let (_, crd) = definitions.iter().find(|(plural, _)| *plural == ExternalSecret::PLURAL)?;
    let version = crd["spec"]["versions"].as_array()?.first()?;
    let status = &version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
    Some(if status["observedGeneration"].is_null() {
        WHOSE.warning(
            "the CRDs are ESO's, or of an older release: a status loses `observedGeneration`, `cause` and `lastHandledRefresh`",
            "Install those of this release; they serve the same manifests.",
            "docs/upgrade-from-eso.md",
        )
    } else {
        WHOSE.ok("the CRDs match this program")
    })
}
