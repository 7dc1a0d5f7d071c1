//! `decodingStrategy`.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::SecretValue;
use crate::api::v1::external_secret::DecodingStrategy;

/// Go requires padding but accepts any bits after the last byte.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

/// A value does not have the expected encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not of that encoding")]
pub struct Undecodable;

/// Decodes a value. `Auto` tries both base64 alphabets and otherwise leaves the value unchanged.
///
/// # Errors
/// If the value does not have the encoding.
pub fn decode(strategy: DecodingStrategy, value: SecretValue) -> Result<SecretValue, Undecodable> {
    let decoded = |engine| base64(engine, value.expose_secret());
    match strategy {
        DecodingStrategy::None => Ok(value),
        DecodingStrategy::Base64 => decoded(&BASE64),
        DecodingStrategy::Base64URL => decoded(&BASE64_URL),
        DecodingStrategy::Auto => Ok(decoded(&BASE64).or_else(|_| decoded(&BASE64_URL)).unwrap_or(value)),
    }
}

fn base64(engine: &GeneralPurpose, encoded: &[u8]) -> Result<SecretValue, Undecodable> {
    // Like Go, which skips line breaks anywhere.
    let mut text = Zeroizing::new(Vec::with_capacity(encoded.len()));
    text.extend(encoded.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    let mut decoded = Zeroizing::new(vec![0; text.len() / 4 * 3 + 3]);
    let len = engine.decode_slice(text.as_slice(), &mut decoded).map_err(|_| Undecodable)?;
    Ok(secret(decoded.get(..len).unwrap_or_default()))
}

/// A copy of `bytes` in a buffer of exactly its length, because a buffer that shrinks leaves a copy of the secret
/// behind.
pub(super) fn secret(bytes: &[u8]) -> SecretValue {
    Arc::new(bytes.to_vec().into())
}

pub(super) fn has_null_byte(value: &SecretValue) -> bool {
    value.expose_secret().contains(&0)
}
