//! `Password`: a random password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// The spec of a `Password`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
// Required, as in ESO, although they have defaults.
#[schemars(extend("required" = ["allowRepeat", "length", "noUpper"]))]
pub struct PasswordSpec {
    /// The number of characters, at most 4096; 24 if it is zero.
    #[serde(default = "PasswordSpec::default_length")]
    #[schemars(schema_with = "schema::integer")]
    pub length: i64,
    /// How many of them are digits; a quarter if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::integer")]
    pub digits: Option<i64>,
    /// How many of them are symbols; a quarter if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::integer")]
    pub symbols: Option<i64>,
    /// The symbols to draw from; about 30 ASCII symbols if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol_characters: Option<String>,
    /// Whether to leave out upper-case letters.
    #[serde(default)]
    pub no_upper: bool,
    /// Whether a character may occur more than once.
    #[serde(default)]
    pub allow_repeat: bool,
    /// How the password is encoded.
    #[serde(default)]
    pub encoding: PasswordEncoding,
    /// The keys, each of which gets its own password; `password` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub secret_keys: Option<Vec<String>>,
}

impl PasswordSpec {
    /// The default length.
    pub const DEFAULT_LENGTH: i64 = 24;

    const fn default_length() -> i64 {
        Self::DEFAULT_LENGTH
    }
}

impl Default for PasswordSpec {
    fn default() -> Self {
        Self {
            length: Self::DEFAULT_LENGTH,
            digits: None,
            symbols: None,
            symbol_characters: None,
            no_upper: false,
            allow_repeat: false,
            encoding: PasswordEncoding::default(),
            secret_keys: None,
        }
    }
}

/// How a password is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordEncoding {
    /// Base64.
    Base64,
    /// Base64 with the URL-safe alphabet.
    Base64url,
    /// Base32.
    Base32,
    /// Hexadecimal, in lower case.
    Hex,
    /// Not encoded.
    #[default]
    Raw,
}
