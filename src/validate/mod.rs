//! Static checks of the resources: what can be said without the cluster and without a provider. The
//! controllers apply them to every object, since a cluster may have no webhook.

pub mod external_secret;
pub mod unsupported;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Problem {
    /// The field's path, for example `spec.data[1].secretKey`.
    pub field: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl Problem {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}
