//! Why a generator makes no values.

/// Why a generator makes no values. The words of ESO where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// A field is more than it may be, or less.
    #[error("{field}: {problem}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// What is wrong with it, and what it may be.
        problem: String,
    },
    /// The digits and symbols are more than the password has characters.
    #[error("number of digits and symbols must be less than total length; lower spec.digits or spec.symbols")]
    TooManyDigitsAndSymbols,
    /// There are not so many different characters.
    #[error(
        "number of {what} exceeds available {what} and repeats are not allowed: {wanted} are asked for and there are {available}; set spec.allowRepeat: true, or ask for fewer"
    )]
    TooFew {
        /// `letters`, `digits` or `symbols`
        what: &'static str,
        /// How many are asked for.
        wanted: usize,
        /// How many there are.
        available: usize,
    },
    /// Two keys are the same, or one is empty.
    #[error("secretKeys must be non-empty and unique; correct spec.secretKeys")]
    SecretKeys,
    /// The system's cryptography failed.
    #[error("unable to generate SSH key: the system's cryptography failed; it is tried again")]
    KeyGeneration,
}

impl MintError {
    /// Whether trying again can help without a change of the generator.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::KeyGeneration)
    }
}
