//! What the schema of an ExternalSecret allows but neither ESO nor this controller supports. Ignoring it silently would
//! be worse than reporting it.

use super::Problem;
use crate::api::v1::external_secret::ExternalSecretSpec;

/// ESO also has it in the schema, and treats it as a store without a name.
const IN_DATA: &str = "is not supported: a generator gives several values; name it in an entry of spec.dataFrom, as sourceRef.generatorRef";

/// The fields whose values are not supported; empty if all are.
#[must_use]
pub fn check(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let entries = spec.data.iter().enumerate();
    let with_generator =
        entries.filter(|(_, entry)| entry.source_ref.as_ref().is_some_and(|source| source.generator_ref.is_some()));
    let problem = |(index, _)| Problem::new(format!("spec.data[{index}].sourceRef.generatorRef"), IN_DATA);
    with_generator.map(problem).collect()
}
