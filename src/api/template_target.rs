//! Where in the target the result of a template is written: `templateFrom[].target`.

use super::field_path::{FieldPath, FieldPathError};

/// Fields of an object that no template may write: the ExternalSecret sets the first three, and the status belongs to
/// the object's controller.
const CLOSED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Where in the target the result of a template is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateTarget {
    /// Keys of `data`.
    Data,
    /// The labels.
    Labels,
    /// The annotations.
    Annotations,
    /// Keys of `spec`, or all of it for a template of keys and values. Not in a Secret.
    Spec,
    /// A path in an object that is not a Secret.
    Place(FieldPath),
}

/// Why a template cannot write there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateTargetError {
    /// A Secret has no such part.
    #[error("{0:?} is not allowed for a Secret; use Data, Annotations or Labels")]
    Secret(String),
    /// It is not a path.
    #[error(transparent)]
    Path(#[from] FieldPathError),
    /// Templates may not write the field.
    #[error(
        "{0:?} is not allowed: templates write no apiVersion, kind, metadata or status; use Data, Labels, Annotations or a path such as spec.config"
    )]
    Closed(String),
}

impl TemplateTarget {
    /// The meaning of a text for a Secret: `Data`, `Labels` or `Annotations`, in upper or lower case. An empty text
    /// means `Data`.
    ///
    /// # Errors
    /// [`TemplateTargetError::Secret`]
    pub fn of_secret(text: &str) -> Result<Self, TemplateTargetError> {
        Self::named(text).ok_or_else(|| TemplateTargetError::Secret(text.to_owned()))
    }

    /// The meaning of a text for another object: the same, `Spec`, or a path.
    ///
    /// # Errors
    /// [`TemplateTargetError`]
    pub fn of_object(text: &str) -> Result<Self, TemplateTargetError> {
        if let Some(named) = Self::named(text) {
            return Ok(named);
        }
        match text {
            "metadata.labels" => return Ok(Self::Labels),
            "metadata.annotations" => return Ok(Self::Annotations),
            _ if text.eq_ignore_ascii_case("spec") => return Ok(Self::Spec),
            _ => {}
        }
        let path: FieldPath = text.parse()?;
        if CLOSED.contains(&path.first()) {
            return Err(TemplateTargetError::Closed(text.to_owned()));
        }
        Ok(Self::Place(path))
    }

    fn named(text: &str) -> Option<Self> {
        let names =
            [("", Self::Data), ("Data", Self::Data), ("Labels", Self::Labels), ("Annotations", Self::Annotations)];
        names.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, target)| target)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("data")]
    #[case("LABELS")]
    #[case("Annotations")]
    fn a_secret_and_another_object_have_these_in_common(#[case] text: &str) {
        assert_eq!(TemplateTarget::of_secret(text), TemplateTarget::of_object(text));
        assert!(TemplateTarget::of_secret(text).is_ok());
    }

    #[rstest]
    #[case("Spec", TemplateTarget::Spec)]
    #[case("metadata.labels", TemplateTarget::Labels)]
    #[case("spec.Config", TemplateTarget::Place(FieldPath::of_keys(["spec", "Config"])))]
    #[case("rules", TemplateTarget::Place(FieldPath::of_keys(["rules"])))]
    fn another_object_has_more(#[case] text: &str, #[case] expected: TemplateTarget) {
        assert_eq!(TemplateTarget::of_object(text), Ok(expected));
        assert_eq!(TemplateTarget::of_secret(text), Err(TemplateTargetError::Secret(text.to_owned())));
    }

    #[rstest]
    #[case("metadata")]
    #[case("metadata.name")]
    #[case("metadata.ownerReferences[0]")]
    #[case("kind")]
    #[case("apiVersion")]
    #[case("status.phase")]
    fn what_identifies_an_object_is_closed(#[case] text: &str) {
        assert_eq!(TemplateTarget::of_object(text), Err(TemplateTargetError::Closed(text.to_owned())));
    }
}
