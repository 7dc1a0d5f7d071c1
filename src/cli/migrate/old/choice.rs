//! What a person chooses of what is made.

use super::vault::Store;

/// What a person chose.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::migrate) struct Choice {
    pub(super) store: Option<Store>,
    pub(super) service_account: Option<String>,
}
