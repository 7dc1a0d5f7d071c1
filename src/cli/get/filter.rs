//! Which objects are shown.

use clap::Args;

use super::row::Row;
use crate::cli::person::names::{self, Error};
use crate::controller::store_access::key::StoreKey;

/// Which objects are shown.
#[derive(Args, Debug)]
pub(super) struct FilterArguments {
    /// Only those that are not Ready
    #[arg(long)]
    not_ready: bool,
    /// Only those whose refresh is overdue, for example because no controller runs
    #[arg(long)]
    stale: bool,
    /// Only those that are not Ready for this cause, such as `SecretNotFound`
    #[arg(long, value_name = "WORD")]
    cause: Option<String>,
    /// Only those that use this store: store/NAME, or css/NAME
    #[arg(long, value_name = "KIND/NAME")]
    store: Option<String>,
}

/// Which objects are shown.
pub(super) struct Filter<'a> {
    arguments: &'a FilterArguments,
    store: Option<StoreKey>,
}

impl<'a> Filter<'a> {
    pub(super) fn of(arguments: &'a FilterArguments, namespace: &str) -> Result<Self, Error> {
        let store = arguments.store.as_deref().map(|store| names::store(store, namespace)).transpose()?;
        Ok(Self { arguments, store })
    }

    pub(super) fn lets_pass(&self, row: &Row) -> bool {
        let FilterArguments { not_ready, stale, cause, .. } = self.arguments;
        self.is_store(&row.stores)
            && (!not_ready || !row.is_ready)
            && (!stale || row.is_stale)
            && cause.as_ref().is_none_or(|cause| row.cause.as_ref() == Some(cause))
    }

    /// Whether one of these stores is the one that is asked for.
    fn is_store(&self, stores: &[StoreKey]) -> bool {
        self.store.as_ref().is_none_or(|wanted| {
            // With all namespaces, each has its own store of that name.
            stores.iter().any(|store| store.kind == wanted.kind && store.object.name == wanted.object.name)
        })
    }
}
