//! Which operation a request asks for.

use http::Method;

use super::errors::KeyVaultError;
use super::object::ObjectKind;

/// What is done with an object or a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    Set,
    Update,
    Delete,
    List,
    ListVersions,
    GetDeleted,
    ListDeleted,
    Recover,
    Purge,
}

/// An operation as a URL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation<'a> {
    pub(crate) kind: ObjectKind,
    pub(crate) verb: Verb,
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
}

impl<'a> Operation<'a> {
    /// From the method and the parts of the path.
    pub(crate) fn parse(method: &Method, segments: &[&'a str]) -> Result<Self, KeyVaultError> {
        let unknown = || KeyVaultError::operation_unknown(method.as_str());
        let (collection, rest) = segments.split_first().ok_or_else(unknown)?;
        let kinds = [ObjectKind::Secret];
        let live = kinds.into_iter().find(|kind| kind.collection() == *collection);
        let deleted = kinds.into_iter().find(|kind| kind.deleted_collection() == *collection);
        let (kind, verb, name, version) = match (live, deleted) {
            (Some(kind), _) => Self::of_live(method, rest).map(|(verb, name, version)| (kind, verb, name, version)),
            (None, Some(kind)) => Self::of_deleted(method, rest).map(|(verb, name)| (kind, verb, name, None)),
            (None, None) => None,
        }
        .ok_or_else(unknown)?;
        Ok(Self { kind, verb, name, version })
    }

    #[allow(clippy::type_complexity, reason = "the three parts of a path, taken apart at once by the caller")]
    fn of_live(method: &Method, rest: &[&'a str]) -> Option<(Verb, Option<&'a str>, Option<&'a str>)> {
        Some(match (method.as_str(), rest) {
            ("GET", []) => (Verb::List, None, None),
            ("GET", [name, "versions"]) => (Verb::ListVersions, Some(name), None),
            ("GET", [name]) => (Verb::Get, Some(name), None),
            ("GET", [name, version]) => (Verb::Get, Some(name), Some(version)),
            ("PUT", [name]) => (Verb::Set, Some(name), None),
            ("PATCH", [name]) => (Verb::Update, Some(name), None),
            ("PATCH", [name, version]) => (Verb::Update, Some(name), Some(version)),
            ("DELETE", [name]) => (Verb::Delete, Some(name), None),
            _ => return None,
        })
    }

    fn of_deleted(method: &Method, rest: &[&'a str]) -> Option<(Verb, Option<&'a str>)> {
        Some(match (method.as_str(), rest) {
            ("GET", []) => (Verb::ListDeleted, None),
            ("GET", [name]) => (Verb::GetDeleted, Some(name)),
            ("POST", [name, "recover"]) => (Verb::Recover, Some(name)),
            ("DELETE", [name]) => (Verb::Purge, Some(name)),
            _ => return None,
        })
    }

    /// The operation's name in Key Vault's REST reference, as counters and faults use it.
    pub(crate) const fn label(&self) -> &'static str {
        match (self.kind, self.verb) {
            (ObjectKind::Secret, Verb::Get) => "GetSecret",
            (ObjectKind::Secret, Verb::Set) => "SetSecret",
            (ObjectKind::Secret, Verb::Update) => "UpdateSecret",
            (ObjectKind::Secret, Verb::Delete) => "DeleteSecret",
            (ObjectKind::Secret, Verb::List) => "GetSecrets",
            (ObjectKind::Secret, Verb::ListVersions) => "GetSecretVersions",
            (ObjectKind::Secret, Verb::GetDeleted) => "GetDeletedSecret",
            (ObjectKind::Secret, Verb::ListDeleted) => "GetDeletedSecrets",
            (ObjectKind::Secret, Verb::Recover) => "RecoverDeletedSecret",
            (ObjectKind::Secret, Verb::Purge) => "PurgeDeletedSecret",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(method: &str, path: &'a str) -> Result<Operation<'a>, KeyVaultError> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        Operation::parse(&method.parse().unwrap(), &segments)
    }

    #[test]
    fn a_trailing_slash_means_the_current_version_as_the_sdks_write_it() {
        let operation = parse("GET", "/secrets/db-password/").unwrap();
        assert_eq!((operation.label(), operation.name, operation.version), ("GetSecret", Some("db-password"), None));
    }

    #[test]
    fn each_operation_of_secrets_is_known() {
        for (method, path, label) in [
            ("GET", "/secrets", "GetSecrets"),
            ("GET", "/secrets/a/versions", "GetSecretVersions"),
            ("GET", "/secrets/a/0123", "GetSecret"),
            ("PUT", "/secrets/a", "SetSecret"),
            ("PATCH", "/secrets/a/0123", "UpdateSecret"),
            ("DELETE", "/secrets/a", "DeleteSecret"),
            ("GET", "/deletedsecrets", "GetDeletedSecrets"),
            ("GET", "/deletedsecrets/a", "GetDeletedSecret"),
            ("POST", "/deletedsecrets/a/recover", "RecoverDeletedSecret"),
            ("DELETE", "/deletedsecrets/a", "PurgeDeletedSecret"),
        ] {
            assert_eq!(parse(method, path).unwrap().label(), label, "{method} {path}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (method, path) in [("GET", "/"), ("POST", "/secrets/a"), ("GET", "/storage/a"), ("GET", "/secrets/a/b/c")] {
            assert!(parse(method, path).is_err(), "{method} {path}");
        }
    }
}
