//! Why a generator makes no values.

/// Why a generator makes no values. The messages are ESO's where ESO has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// A field exceeds its limits.
    #[error("{field}: {problem}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// The digits and symbols outnumber the password's characters.
    #[error("number of digits and symbols must be less than total length; lower spec.digits or spec.symbols")]
    TooManyDigitsAndSymbols,
    /// There are fewer different characters than requested.
    #[error(
        "number of {what} exceeds available {what} and repeats are not allowed: {wanted} are asked for and there are {available}; set spec.allowRepeat: true, or ask for fewer"
    )]
    TooFew {
        /// `letters`, `digits` or `symbols`
        what: &'static str,
        /// The number requested.
        wanted: usize,
        /// The number available.
        available: usize,
    },
    /// A key is repeated or empty.
    #[error("secretKeys must be non-empty and unique; correct spec.secretKeys")]
    SecretKeys,
    /// The system's cryptography failed.
    #[error("unable to generate SSH key: the system's cryptography failed; the controller retries")]
    KeyGeneration,
}

impl MintError {
    /// Whether a retry can help without a change of the generator.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::KeyGeneration)
    }
}
