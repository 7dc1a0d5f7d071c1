//! What keeps ExternalSecrets from being created.

use crate::api::Selection;
use crate::api::v1::ClusterExternalSecretSpec;
use crate::sync::cluster_external_secret::status::Fault;
use crate::validate;

/// Why no ExternalSecrets are created for a spec, if that is so.
#[must_use]
pub(crate) fn fault(spec: &ClusterExternalSecretSpec) -> Option<Fault> {
    if let Err(bad) = Selection::of(spec) {
        return Some(Fault::Selector(bad.to_string()));
    }
    let problems = validate::cluster_external_secret::check_template(spec);
    (!problems.is_empty()).then(|| Fault::Field(validate::sentences(&problems)))
}
