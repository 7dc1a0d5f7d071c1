//! What an ExternalSecret may ask of ESO and not yet of this controller. Doing half of it in silence
//! would be worse than saying so.

use super::Problem;
use crate::api::v1::external_secret::ExternalSecretSpec;

const NOT_YET: &str = "is not supported yet by this controller; leave it out, or keep this ExternalSecret with ESO by a store of another class (spec.controller)";

/// The fields whose values are not supported yet; empty if all are.
#[must_use]
pub fn check(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut fields = Vec::new();
    let of_data = spec.data.iter().enumerate().map(|(index, entry)| (format!("spec.data[{index}]"), &entry.source_ref));
    let of_sets =
        spec.data_from.iter().enumerate().map(|(index, entry)| (format!("spec.dataFrom[{index}]"), &entry.source_ref));
    for (entry, source) in of_data.chain(of_sets) {
        if source.as_ref().is_some_and(|source| source.generator_ref.is_some()) {
            fields.push(format!("{entry}.sourceRef.generatorRef"));
        }
    }
    fields.into_iter().map(|field| Problem::new(field, NOT_YET)).collect()
}
