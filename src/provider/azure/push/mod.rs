//! Writes the objects of PushSecrets to a vault.
//!
//! 1. `metadata`: everything that an entry says about its object except the value.
//! 2. `value`, `key` and `certificate`: the value in the form of each kind of object.
//! 3. `compare`: whether the existing object differs.
//! 4. `body`: the body of the request.
//! 5. `form`: the steps above that need no vault, together.
//! 6. `writer`: all steps, through the vault's gate; `given`: the same with objects from a file.

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

pub(super) use form::KeyVaultForm;
pub(super) use given::{GivenLookup, GivenWriter};
pub(super) use metadata::check as check_metadata;
pub(super) use writer::KeyVaultWriter;

/// The tag on objects that this program or ESO has written.
const MANAGED_BY: &str = "managed-by";
/// The value of [`MANAGED_BY`].
const MANAGER: &str = "external-secrets";
/// The tag that names the cluster that wrote an object, if the operator asks for it.
const OWNER: &str = "external-secrets-cluster";
