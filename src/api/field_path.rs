//! Paths into an object, as in `templateFrom[].target` of a generic target.

use std::fmt;
use std::str::FromStr;

/// The highest index, as in ESO: all elements before it are created.
const HIGHEST_INDEX: usize = 10_000;
/// No object is nested more deeply. Also bounds what an index creates.
const MOST_STEPS: usize = 64;

/// A path into an object: keys separated by dots, with list indexes in brackets, such as
/// `spec.rules[0].from[0].source.notRemoteIpBlocks`. It begins with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// It is empty, or has two dots in a row or a dot at an end.
    #[error("{0:?} has an empty part; write keys separated by single dots, such as spec.config")]
    Empty(String),
    /// An index is not a number, or a bracket is not closed.
    #[error("{0:?} has a malformed index; write a list's index as [0], after a key")]
    Index(String),
    /// An index is too high.
    #[error("{0:?} has an index above {HIGHEST_INDEX}")]
    TooHigh(String),
    /// It has too many steps.
    #[error("{0:?} has more than {MOST_STEPS} steps")]
    TooLong(String),
}

impl FieldPath {
    /// The path of these keys.
    #[must_use]
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The steps; at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The key that it begins with.
    #[must_use]
    pub fn first(&self) -> &str {
        match self.0.first() {
            Some(Step::Key(key)) => key,
            _ => "",
        }
    }
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let mut steps = Vec::new();
        for (number, segment) in text.split('.').enumerate() {
            let (key, mut rest) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
            if key.is_empty() && (rest.is_empty() || number == 0) {
                return Err(FieldPathError::Empty(text.to_owned()));
            }
            if !key.is_empty() {
                steps.push(Step::Key(key.to_owned()));
            }
            while !rest.is_empty() {
                let malformed = || FieldPathError::Index(text.to_owned());
                let (index, after) =
                    rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(malformed)?;
                let index: usize = index.parse().map_err(|_| malformed())?;
                if index > HIGHEST_INDEX {
                    return Err(FieldPathError::TooHigh(text.to_owned()));
                }
                steps.push(Step::Index(index));
                rest = after;
            }
            if steps.len() > MOST_STEPS {
                return Err(FieldPathError::TooLong(text.to_owned()));
            }
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("spec", &["spec"])]
    #[case("spec.headers.customRequestHeaders", &["spec", "headers", "customRequestHeaders"])]
    #[case("spec.rules[0].from[12].x", &["spec", "rules", "[0]", "from", "[12]", "x"])]
    #[case("spec.matrix[0][1]", &["spec", "matrix", "[0]", "[1]"])]
    #[case("spec.a.[3]", &["spec", "a", "[3]"])]
    fn a_path_is_read_step_by_step(#[case] text: &str, #[case] expected: &[&str]) {
        let path: FieldPath = text.parse().unwrap();
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => format!("[{index}]"),
        };
        assert_eq!(path.steps().iter().map(step).collect::<Vec<_>>(), expected);
        assert_eq!(path.to_string(), text.replace(".[", "["));
    }

    #[rstest]
    #[case("", "has an empty part")]
    #[case("spec.", "has an empty part")]
    #[case("spec..a", "has an empty part")]
    #[case("[0].spec", "has an empty part")]
    #[case("spec.a[", "malformed index")]
    #[case("spec.a[x]", "malformed index")]
    #[case("spec.a[-1]", "malformed index")]
    #[case("spec.a[0]b", "malformed index")]
    #[case("spec.a[10001]", "has an index above 10000")]
    fn an_invalid_path_is_refused(#[case] text: &str, #[case] problem: &str) {
        let error = text.parse::<FieldPath>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{text:?} ")) && error.contains(problem), "{error}");
    }

    #[test]
    fn a_path_cannot_fill_up_memory() {
        let text = format!("spec{}", "[10000]".repeat(100_000));
        assert!(matches!(text.parse::<FieldPath>(), Err(FieldPathError::TooLong(_))));
    }
}
