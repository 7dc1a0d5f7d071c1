//! Static checks of the resources: what can be found without the cluster and without a provider. The controllers apply
//! them to every object, because a cluster may have no webhook.

mod child_spec;
pub mod cluster_external_secret;
pub mod cluster_push_secret;
mod expressions;
pub mod external_secret;
pub mod generator;
pub mod push_secret;
pub mod secret_store;
mod sync_windows;
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

/// Problems as one line of text. Shows only the first of many and the beginning of long ones, because a status or an
/// answer cannot hold everything.
#[must_use]
pub fn sentences(problems: &[Problem]) -> String {
    const SHOWN: usize = 10;
    const LONGEST: usize = 2000;
    let mut shown: Vec<_> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
    for sentence in &mut shown {
        sentence.truncate(sentence.floor_char_boundary(LONGEST));
    }
    if problems.len() > SHOWN {
        shown.push(format!("and {} more", problems.len() - SHOWN));
    }
    shown.join("; ")
}
