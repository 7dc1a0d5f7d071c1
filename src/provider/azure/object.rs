//! The names of objects in a vault, checked before they go into a URL.

use std::fmt;

use super::diagnose::{Cause, Diagnosis, text};
use crate::api::v1::external_secret::RemoteRef;

/// The secret that the validation of a store reads. It need not exist: "not found" proves access, too.
const PROBE: &str = "external-secrets-probe";
/// The longest name of an object.
const LONGEST_NAME: usize = 127;
/// The length of a version, in hexadecimal digits.
const VERSION_LENGTH: usize = 32;

/// An object that a reference names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ObjectId {
    pub(super) kind: ObjectKind,
    /// Its name: letters, digits and dashes.
    pub(super) name: String,
    /// The version; `None` for the current one.
    pub(super) version: Option<String>,
}

/// The kinds of objects in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ObjectKind {
    Secret,
    Key,
    Certificate,
}

impl ObjectId {
    /// The secret that validates a store.
    pub(super) fn probe() -> Self {
        Self { kind: ObjectKind::Secret, name: PROBE.to_owned(), version: None }
    }

    /// Whether it is [`ObjectId::probe`].
    pub(super) fn is_probe(&self) -> bool {
        self.kind == ObjectKind::Secret && self.name == PROBE
    }

    /// The secret with this name, as a vault lists it.
    ///
    /// # Errors
    /// If no secret can have that name.
    pub(super) fn listed(name: &str) -> Result<Self, Diagnosis> {
        if !is_name(name) {
            let message = format!("the vault lists a secret \"{}\", which no secret can be called", text::stable(name));
            return Err(Diagnosis::new(Cause::UnexpectedAnswer, message));
        }
        Ok(Self { kind: ObjectKind::Secret, name: name.to_owned(), version: None })
    }

    /// The object that a reference names. As in ESO, `a/b/c` is the object `b` of kind `a`, and the rest is ignored.
    ///
    /// # Errors
    /// If the kind is unknown, or no object can have the name or version.
    pub(super) fn parse(reference: &RemoteRef) -> Result<Self, Diagnosis> {
        let mut parts = reference.key.split('/');
        let first = parts.next().unwrap_or_default();
        let (kind, name) = match parts.next() {
            None => (ObjectKind::Secret, first),
            Some(name) => (ObjectKind::parse(first, &reference.key)?, name),
        };
        check_name(name, &reference.key)?;
        let version = reference.version.as_deref().filter(|version| !version.is_empty());
        if let Some(version) = version {
            check_version(version)?;
        }
        Ok(Self { kind, name: name.to_owned(), version: version.map(ToOwned::to_owned) })
    }
}

impl ObjectKind {
    fn parse(prefix: &str, key: &str) -> Result<Self, Diagnosis> {
        match prefix {
            "secret" => Ok(Self::Secret),
            "key" => Ok(Self::Key),
            "cert" => Ok(Self::Certificate),
            _ => Err(Diagnosis::new(
                Cause::ReferenceInvalid,
                format!("remoteRef.key \"{}\" names the unknown kind \"{}\"", text::stable(key), text::stable(prefix)),
            )
            .hint("write NAME, secret/NAME, key/NAME or cert/NAME")),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ObjectKind::Secret => "secret",
            ObjectKind::Key => "key",
            ObjectKind::Certificate => "certificate",
        };
        write!(f, "{kind} \"{}\"", self.name)?;
        match &self.version {
            Some(version) => write!(f, " in version {version}"),
            None => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn check_name(name: &str, key: &str) -> Result<(), Diagnosis> {
    if is_name(name) {
        return Ok(());
    }
    Err(Diagnosis::new(
        Cause::ReferenceInvalid,
        format!("remoteRef.key \"{}\" names no object that Key Vault can have", text::stable(key)),
    )
    .hint(format!("a name has 1 to {LONGEST_NAME} letters, digits and dashes")))
}

fn check_version(version: &str) -> Result<(), Diagnosis> {
    if version.len() == VERSION_LENGTH && version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Diagnosis::new(
        Cause::ReferenceInvalid,
        format!("remoteRef.version \"{}\" is not a version of Key Vault", text::stable(version)),
    )
    .hint(format!("a version has {VERSION_LENGTH} hexadecimal digits; leave it out for the current one")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::provider::Class;

    fn reference(key: &str, version: Option<&str>) -> RemoteRef {
        RemoteRef {
            key: key.to_owned(),
            version: version.map(ToOwned::to_owned),
            metadata_policy: None,
            property: None,
            conversion_strategy: None,
            decoding_strategy: None,
            null_byte_policy: None,
        }
    }

    #[rstest]
    #[case("name", ObjectKind::Secret, "name")]
    #[case("secret/name", ObjectKind::Secret, "name")]
    #[case("key/name", ObjectKind::Key, "name")]
    #[case("cert/name", ObjectKind::Certificate, "name")]
    #[case("secret/name/ignored/too", ObjectKind::Secret, "name")]
    #[case("secret", ObjectKind::Secret, "secret")]
    fn a_key_names_a_kind_and_an_object(#[case] key: &str, #[case] kind: ObjectKind, #[case] name: &str) {
        let object = ObjectId::parse(&reference(key, None)).unwrap();
        assert_eq!((object.kind, object.name.as_str()), (kind, name));
    }

    #[rstest]
    #[case("../keys/x", "unknown kind")]
    #[case("secret/..", "letters, digits and dashes")]
    #[case("secrets/x", "secret/NAME")]
    #[case("", "letters, digits and dashes")]
    #[case("secret/", "letters, digits and dashes")]
    #[case("a_b", "letters, digits and dashes")]
    #[case("a?b", "letters, digits and dashes")]
    #[case("ä", "letters, digits and dashes")]
    #[case("a%2Fb", "letters, digits and dashes")]
    fn a_name_that_could_leave_its_place_in_the_url_is_refused(#[case] key: &str, #[case] words: &str) {
        let refused = ObjectId::parse(&reference(key, None)).unwrap_err();
        assert_eq!(refused.cause.class(), Class::InvalidReference);
        let text = format!("{} {}", refused.message, refused.hint.unwrap_or_default());
        assert!(text.contains(words) && text.contains("remoteRef.key"), "{text}");
    }

    #[test]
    fn names_have_at_most_127_characters() {
        assert!(ObjectId::parse(&reference(&"a".repeat(127), None)).is_ok());
        assert!(ObjectId::parse(&reference(&"a".repeat(128), None)).is_err());
    }

    #[rstest]
    #[case("0123456789abcdef0123456789ABCDEF", true)]
    #[case("", true)]
    #[case("1", false)]
    #[case("0123456789abcdef0123456789abcdeg", false)]
    #[case("../../keys/x/0123456789abcdef012", false)]
    fn a_version_is_32_hexadecimal_digits(#[case] version: &str, #[case] valid: bool) {
        assert_eq!(ObjectId::parse(&reference("a", Some(version))).is_ok(), valid);
    }
}
