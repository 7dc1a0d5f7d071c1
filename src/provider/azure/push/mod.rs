//! Writes what PushSecrets ask for.
//!
//! 1. `metadata`: what an entry says of its object besides the value.
//! 2. `value`, `key` and `certificate`: the value in the form that each kind of object takes.
//! 3. `compare`: whether what is there differs from it.
//! 4. `body`: the request.
//! 5. `form`: what of this needs no vault.
//! 6. `writer`: all of it, through the vault's gate; `given`: over objects from a file.

mod body;
mod certificate;
mod compare;
mod der;
mod form;
mod given;
mod key;
mod metadata;
mod value;
mod writer;

pub(super) use given::{GivenLookup, GivenWriter};
pub(super) use metadata::check as check_metadata;
pub(super) use writer::KeyVaultWriter;

/// The tag of the objects that are written here, or by ESO.
const MANAGED_BY: &str = "managed-by";
/// The value of [`MANAGED_BY`].
const MANAGER: &str = "external-secrets";
/// The tag that says which cluster wrote an object, where the operator asks for it.
const OWNER: &str = "external-secrets-cluster";
