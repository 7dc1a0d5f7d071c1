//! Everything in a vault, with the operations on each kind.

use super::certificates::{self, Certificates};
use super::errors::KeyVaultError;
use super::keys::Keys;
use super::lifecycle::{self, change, check_unmanaged};
use super::object::{ObjectKind, ObjectProperties, Setting};
use super::paging::PageRequest;
use super::secrets::Secrets;

/// A vault's objects.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) secrets: Secrets,
    pub(crate) keys: Keys,
    pub(crate) certificates: Certificates,
}

/// Calls a function of [`lifecycle`] with the shelf of a kind.
macro_rules! on_shelf {
    ($objects:ident, $kind:expr, |$shelf:ident| $call:expr) => {
        match $kind {
            ObjectKind::Secret => {
                let $shelf = &$objects.secrets;
                $call
            }
            ObjectKind::Key => {
                let $shelf = &$objects.keys;
                $call
            }
            ObjectKind::Certificate => {
                let $shelf = &$objects.certificates;
                $call
            }
        }
    };
}

impl Objects {
    /// How many versions an object has, deleted or not.
    pub(crate) fn versions(&self, kind: ObjectKind, name: &str, now: i64) -> usize {
        on_shelf!(self, kind, |shelf| shelf.get(name, now).map_or(0, |entry| entry.versions().len()))
    }

    pub(crate) fn get(
        &self,
        kind: ObjectKind,
        name: &str,
        version: Option<&str>,
        setting: &Setting<'_>,
    ) -> Result<String, KeyVaultError> {
        on_shelf!(self, kind, |shelf| lifecycle::get(shelf, name, version, setting))
    }

    pub(crate) fn get_deleted(
        &self,
        kind: ObjectKind,
        name: &str,
        setting: &Setting<'_>,
    ) -> Result<String, KeyVaultError> {
        on_shelf!(self, kind, |shelf| lifecycle::get_deleted(shelf, name, setting))
    }

    pub(crate) fn list(
        &self,
        kind: ObjectKind,
        request: &PageRequest,
        setting: &Setting<'_>,
        link: impl FnOnce(&str) -> String,
    ) -> Result<String, KeyVaultError> {
        on_shelf!(self, kind, |shelf| lifecycle::list(shelf, request, setting, link))
    }

    pub(crate) fn list_deleted(
        &self,
        kind: ObjectKind,
        request: &PageRequest,
        setting: &Setting<'_>,
        link: impl FnOnce(&str) -> String,
    ) -> Result<String, KeyVaultError> {
        on_shelf!(self, kind, |shelf| lifecycle::list_deleted(shelf, request, setting, link))
    }

    pub(crate) fn list_versions(
        &self,
        kind: ObjectKind,
        name: &str,
        request: &PageRequest,
        setting: &Setting<'_>,
        link: impl FnOnce(&str) -> String,
    ) -> Result<String, KeyVaultError> {
        on_shelf!(self, kind, |shelf| lifecycle::list_versions(shelf, name, request, setting, link))
    }

    /// Changes attributes and tags of a version, or of the current one.
    pub(crate) fn modify(
        &mut self,
        kind: ObjectKind,
        name: &str,
        version: Option<&str>,
        properties: ObjectProperties,
        now: i64,
    ) -> Result<(), KeyVaultError> {
        self.check_unmanaged(kind, name, "update", now)?;
        match kind {
            ObjectKind::Secret => change(&mut self.secrets, name, version, &properties, now).map(|_| ()),
            ObjectKind::Key => change(&mut self.keys, name, version, &properties, now).map(|_| ()),
            ObjectKind::Certificate => certificates::modify(self, name, version, properties, now),
        }
    }

    pub(crate) fn delete(
        &mut self,
        kind: ObjectKind,
        name: &str,
        setting: &Setting<'_>,
    ) -> Result<String, KeyVaultError> {
        self.check_unmanaged(kind, name, "delete", setting.now)?;
        match kind {
            ObjectKind::Secret => lifecycle::delete(&mut self.secrets, name, setting),
            ObjectKind::Key => lifecycle::delete(&mut self.keys, name, setting),
            ObjectKind::Certificate => certificates::delete(self, name, setting),
        }
    }

    pub(crate) fn recover(
        &mut self,
        kind: ObjectKind,
        name: &str,
        setting: &Setting<'_>,
    ) -> Result<String, KeyVaultError> {
        self.check_unmanaged(kind, name, "recover", setting.now)?;
        match kind {
            ObjectKind::Secret => lifecycle::recover(&mut self.secrets, name, setting),
            ObjectKind::Key => lifecycle::recover(&mut self.keys, name, setting),
            ObjectKind::Certificate => certificates::recover(self, name, setting),
        }
    }

    pub(crate) fn purge(&mut self, kind: ObjectKind, name: &str, setting: &Setting<'_>) -> Result<(), KeyVaultError> {
        self.check_unmanaged(kind, name, "purge", setting.now)?;
        match kind {
            ObjectKind::Secret => lifecycle::purge(&mut self.secrets, name, setting),
            ObjectKind::Key => lifecycle::purge(&mut self.keys, name, setting),
            ObjectKind::Certificate => certificates::purge(self, name, setting),
        }
    }

    fn check_unmanaged(&self, kind: ObjectKind, name: &str, operation: &str, now: i64) -> Result<(), KeyVaultError> {
        on_shelf!(self, kind, |shelf| check_unmanaged(shelf, name, operation, now))
    }
}
