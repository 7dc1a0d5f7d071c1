//! Whether a spec can be worked on at all.

use super::error::SpecFault;
use crate::api::v1::ExternalSecretSpec;
use crate::validate;

/// Whether a spec can be worked on at all.
///
/// # Errors
/// [`SpecFault`], with everything that is wrong.
pub(crate) fn check(spec: &ExternalSecretSpec) -> Result<(), SpecFault> {
    let problems = validate::external_secret::check(spec);
    if !problems.is_empty() {
        return Err(SpecFault::Rejected(validate::sentences(&problems).into()));
    }
    let unsupported = validate::unsupported::check(spec);
    if unsupported.is_empty() { Ok(()) } else { Err(SpecFault::Unsupported(validate::sentences(&unsupported).into())) }
}
