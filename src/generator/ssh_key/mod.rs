//! SSH key pairs.

mod made;
mod openssh;

use rand::RngExt as _;

use self::made::Made;
use super::bounds::{ECDSA_SIZES, LONGEST_TEXT, RSA_SIZES};
use super::error::MintError;
use super::values::{Values, secret};
use crate::api::generators::{SshKeySpec, SshKeyType};

/// The key under which the private key is stored.
pub const PRIVATE_KEY: &str = "privateKey";
/// The key under which the public key is stored.
pub const PUBLIC_KEY: &str = "publicKey";

/// A key pair in OpenSSH's formats. A large RSA key takes seconds.
///
/// # Errors
/// [`MintError`]
pub fn mint(spec: &SshKeySpec, random: &mut impl rand::CryptoRng) -> Result<Values, MintError> {
    check(spec)?;
    let size = spec.key_size;
    let made = match spec.key_type {
        SshKeyType::Rsa => made::rsa(size.unwrap_or(RSA_SIZES[0]))?,
        SshKeyType::Ecdsa => made::ecdsa(size.unwrap_or(ECDSA_SIZES[0]))?,
        SshKeyType::Ed25519 => made::ed25519(random)?,
    };
    let comment = spec.comment.as_deref().unwrap_or_default();
    let Made { public, private } = made;
    let private_key = openssh::private_key(&public, &private, comment, random.random());
    let public_key = openssh::public_key(&public, comment);
    Ok([(PRIVATE_KEY.to_owned(), secret(private_key)), (PUBLIC_KEY.to_owned(), secret(public_key))].into())
}

/// Checks whether keys can be made, without making any.
///
/// # Errors
/// [`MintError`]
pub fn check(spec: &SshKeySpec) -> Result<(), MintError> {
    let sizes: &[i64] = match spec.key_type {
        SshKeyType::Rsa => &RSA_SIZES,
        SshKeyType::Ecdsa => &ECDSA_SIZES,
        SshKeyType::Ed25519 => &[],
    };
    if let Some(size) = spec.key_size.filter(|size| !sizes.is_empty() && !sizes.contains(size)) {
        let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
        let (last, others) = sizes.split_last().map_or(("", String::new()), |(last, others)| (last, others.join(", ")));
        let kind = if spec.key_type == SshKeyType::Rsa { "RSA" } else { "ECDSA" };
        let problem = format!("{kind} keys of {size} bits are not supported; use {others} or {last}");
        return Err(MintError::OutOfBounds { field: "spec.keySize", problem });
    }
    let comment = spec.comment.as_deref().unwrap_or_default();
    if comment.chars().any(char::is_control) {
        // It would add a line to a file of authorized keys.
        let problem = "has a line break or another control character; remove it".to_owned();
        return Err(MintError::OutOfBounds { field: "spec.comment", problem });
    }
    if comment.len() > LONGEST_TEXT {
        let problem = format!("may have at most {LONGEST_TEXT} bytes; shorten it");
        return Err(MintError::OutOfBounds { field: "spec.comment", problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
