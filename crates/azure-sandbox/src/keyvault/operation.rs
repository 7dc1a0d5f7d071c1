//! Determines the operation of a request.

use http::Method;

use super::errors::KeyVaultError;
use super::object::ObjectKind;

/// The action on an object or a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    Set,
    Create,
    Import,
    Update,
    Delete,
    List,
    ListVersions,
    GetDeleted,
    ListDeleted,
    Recover,
    Purge,
    GetPolicy,
    UpdatePolicy,
    GetPending,
    DeletePending,
}

impl Verb {
    /// Whether a request has a body.
    pub(crate) const fn has_body(self) -> bool {
        matches!(self, Self::Set | Self::Create | Self::Import | Self::Update | Self::UpdatePolicy)
    }
}

/// An operation, as identified by a URL.
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
        let live = ObjectKind::of_collection(collection);
        let deleted = ObjectKind::ALL.into_iter().find(|kind| kind.deleted_collection() == *collection);
        let (kind, verb, name, version) = match (live, deleted) {
            (Some(kind), _) => {
                Self::of_live(kind, method, rest).map(|(verb, name, version)| (kind, verb, name, version))
            }
            (None, Some(kind)) => Self::of_deleted(method, rest).map(|(verb, name)| (kind, verb, name, None)),
            (None, None) => None,
        }
        .ok_or_else(unknown)?;
        Ok(Self { kind, verb, name, version })
    }

    #[allow(clippy::type_complexity, reason = "the three parts of a path, taken apart at once by the caller")]
    fn of_live(
        kind: ObjectKind,
        method: &Method,
        rest: &[&'a str],
    ) -> Option<(Verb, Option<&'a str>, Option<&'a str>)> {
        use ObjectKind::{Certificate, Key, Secret};
        Some(match (method.as_str(), rest, kind) {
            ("GET", [], _) => (Verb::List, None, None),
            ("GET", [name, "versions"], _) => (Verb::ListVersions, Some(name), None),
            ("GET", [name, "policy"], Certificate) => (Verb::GetPolicy, Some(name), None),
            ("PATCH", [name, "policy"], Certificate) => (Verb::UpdatePolicy, Some(name), None),
            ("GET", [name, "pending"], Certificate) => (Verb::GetPending, Some(name), None),
            ("DELETE", [name, "pending"], Certificate) => (Verb::DeletePending, Some(name), None),
            ("GET", [name], _) => (Verb::Get, Some(name), None),
            ("GET", [name, version], _) => (Verb::Get, Some(name), Some(version)),
            ("PUT", [name], Secret) => (Verb::Set, Some(name), None),
            ("POST", [name, "create"], Key | Certificate) => (Verb::Create, Some(name), None),
            ("PUT", [name], Key) | ("POST", [name, "import"], Certificate) => (Verb::Import, Some(name), None),
            ("PATCH", [name], _) => (Verb::Update, Some(name), None),
            ("PATCH", [name, version], _) => (Verb::Update, Some(name), Some(version)),
            ("DELETE", [name], _) => (Verb::Delete, Some(name), None),
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
        // For secrets, keys and certificates; `Unknown` if there is none.
        let [secret, key, certificate] = match self.verb {
            Verb::Get => ["GetSecret", "GetKey", "GetCertificate"],
            Verb::Set => ["SetSecret", "Unknown", "Unknown"],
            Verb::Create => ["Unknown", "CreateKey", "CreateCertificate"],
            Verb::Import => ["Unknown", "ImportKey", "ImportCertificate"],
            Verb::Update => ["UpdateSecret", "UpdateKey", "UpdateCertificate"],
            Verb::Delete => ["DeleteSecret", "DeleteKey", "DeleteCertificate"],
            Verb::List => ["GetSecrets", "GetKeys", "GetCertificates"],
            Verb::ListVersions => ["GetSecretVersions", "GetKeyVersions", "GetCertificateVersions"],
            Verb::GetDeleted => ["GetDeletedSecret", "GetDeletedKey", "GetDeletedCertificate"],
            Verb::ListDeleted => ["GetDeletedSecrets", "GetDeletedKeys", "GetDeletedCertificates"],
            Verb::Recover => ["RecoverDeletedSecret", "RecoverDeletedKey", "RecoverDeletedCertificate"],
            Verb::Purge => ["PurgeDeletedSecret", "PurgeDeletedKey", "PurgeDeletedCertificate"],
            Verb::GetPolicy => ["Unknown", "Unknown", "GetCertificatePolicy"],
            Verb::UpdatePolicy => ["Unknown", "Unknown", "UpdateCertificatePolicy"],
            Verb::GetPending => ["Unknown", "Unknown", "GetCertificateOperation"],
            Verb::DeletePending => ["Unknown", "Unknown", "DeleteCertificateOperation"],
        };
        match self.kind {
            ObjectKind::Secret => secret,
            ObjectKind::Key => key,
            ObjectKind::Certificate => certificate,
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
    fn each_operation_of_keys_and_certificates_is_known() {
        for (method, path, label) in [
            ("GET", "/keys/a/", "GetKey"),
            ("POST", "/keys/a/create", "CreateKey"),
            ("PUT", "/keys/a", "ImportKey"),
            ("PATCH", "/keys/a/0123", "UpdateKey"),
            ("DELETE", "/deletedkeys/a", "PurgeDeletedKey"),
            ("GET", "/certificates/a/0123", "GetCertificate"),
            ("POST", "/certificates/a/create", "CreateCertificate"),
            ("POST", "/certificates/a/import", "ImportCertificate"),
            ("GET", "/certificates/a/policy", "GetCertificatePolicy"),
            ("PATCH", "/certificates/a/policy", "UpdateCertificatePolicy"),
            ("GET", "/certificates/a/pending", "GetCertificateOperation"),
            ("GET", "/certificates/a/versions", "GetCertificateVersions"),
            ("POST", "/deletedcertificates/a/recover", "RecoverDeletedCertificate"),
        ] {
            assert_eq!(parse(method, path).unwrap().label(), label, "{method} {path}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (method, path) in [
            ("GET", "/"),
            ("POST", "/secrets/a"),
            ("POST", "/secrets/a/create"),
            ("PUT", "/certificates/a"),
            ("GET", "/storage/a"),
            ("GET", "/secrets/a/b/c"),
        ] {
            assert!(parse(method, path).is_err(), "{method} {path}");
        }
    }
}
