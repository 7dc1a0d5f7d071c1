//! What to print of values, and of labels and annotations that may be derived from values.
//!
//! A value is shown as its length and the first bytes of an HMAC under a key that is random for each run. So equal
//! values can be recognized within the output of one run, and nowhere else. With a plain hash of a short password,
//! anybody who reads the log of a pipeline could try passwords until one fits.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::api::v1::external_secret::ExternalSecretTemplateMetadata;
use crate::api::{ANNOTATION_DATA_HASH, LABEL_MANAGED, LABEL_OWNER};
use crate::sync::target::Owner;

/// How many bytes of the HMAC are printed.
const SHORT: usize = 4;

/// Whether to print values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Print their length and short hash.
    Redacted,
    /// Print the values themselves.
    Shown,
}

impl Values {
    /// From the flag `--show-values`.
    pub(super) const fn of_flag(shown: bool) -> Self {
        if shown { Self::Shown } else { Self::Redacted }
    }
}

/// Decides what to print of each value of one run.
pub(super) struct Redactor {
    values: Values,
    key: [u8; 32],
}

/// What is printed of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The value as text.
    Text(String),
    /// The value in base64, because it is not text.
    Base64(String),
    /// Its length and hash.
    Redacted {
        bytes: usize,
        /// The same for equal values of one run.
        hash: String,
    },
}

impl Redactor {
    /// With a random key.
    pub(super) fn new(values: Values) -> Self {
        Self { values, key: rand::random() }
    }

    /// Whether values are printed.
    pub(super) const fn values(&self) -> Values {
        self.values
    }

    /// What to print of a value.
    pub(super) fn value(&self, value: &[u8]) -> Shown {
        match (self.values, std::str::from_utf8(value)) {
            (Values::Redacted, _) => Shown::Redacted { bytes: value.len(), hash: self.hash(value) },
            (Values::Shown, Ok(text)) => Shown::Text(text.to_owned()),
            (Values::Shown, Err(_)) => Shown::Base64(STANDARD.encode(value)),
        }
    }

    /// What to print of a label or annotation of the target of `owner`.
    pub(super) fn metadata(&self, part: Metadata, key: &str, value: &str, owner: Owner<'_>) -> Shown {
        if part.is_public(key, value, owner) { Shown::Text(value.to_owned()) } else { self.value(value.as_bytes()) }
    }

    fn hash(&self, value: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(value);
        mac.finalize().into_bytes().iter().take(SHORT).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Shown {
    /// In a line of text. Control characters are escaped, so that a value cannot control the terminal.
    pub(super) fn in_line(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Base64(text) => format!("base64 {text}"),
            Self::Redacted { bytes: 1, hash } => format!("(1 byte, hash {hash})"),
            Self::Redacted { bytes, hash } => format!("({bytes} bytes, hash {hash})"),
        }
    }

    /// For programs to read.
    pub(super) fn in_json(&self) -> Value {
        match self {
            Self::Text(text) => json!({ "text": text }),
            Self::Base64(text) => json!({ "base64": text }),
            Self::Redacted { bytes, hash } => json!({ "bytes": bytes, "hash": hash }),
        }
    }
}

/// Labels or annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    Labels,
    Annotations,
}

impl Metadata {
    /// Whether a label or annotation certainly contains nothing of a value: it is this controller's own, or literally
    /// in the manifest. The hash of the data is excluded, because it would let anybody who knows the other values guess
    /// this one.
    fn is_public(self, key: &str, value: &str, owner: Owner<'_>) -> bool {
        let template = owner.spec.target.as_ref().and_then(|target| target.template.as_deref());
        let template = template.and_then(|template| template.metadata.as_ref());
        let (own, copied, written) = match self {
            Self::Labels => {
                let written = template.and_then(|template: &ExternalSecretTemplateMetadata| template.labels.as_ref());
                ([LABEL_MANAGED, LABEL_OWNER].contains(&key), owner.meta.labels.as_ref(), written)
            }
            Self::Annotations => {
                let written = template.and_then(|template| template.annotations.as_ref());
                (false, owner.meta.annotations.as_ref(), written)
            }
        };
        let stands = |texts: Option<&std::collections::BTreeMap<String, String>>| {
            texts.and_then(|texts| texts.get(key)).is_some_and(|text| text == value)
        };
        key != ANNOTATION_DATA_HASH && (own || stands(copied) || stands(written))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use rstest::rstest;

    use super::*;
    use crate::api::ServedVersion;
    use crate::api::v1::ExternalSecretSpec;

    fn hash(redactor: &Redactor, value: &[u8]) -> String {
        match redactor.value(value) {
            Shown::Redacted { hash, .. } => hash,
            shown => panic!("{shown:?}"),
        }
    }

    #[test]
    fn equal_values_are_recognized_within_a_run_and_in_no_other() {
        let (one, other) = (Redactor::new(Values::Redacted), Redactor::new(Values::Redacted));
        assert_eq!(hash(&one, b"1234"), hash(&one, b"1234"));
        assert_ne!(hash(&one, b"1234"), hash(&one, b"1235"));
        // Eight values, so that they are not equal by chance.
        let of = |redactor: &Redactor| (0..8_u8).map(|value| hash(redactor, &[value])).collect::<Vec<_>>();
        assert_ne!(of(&one), of(&other));
    }

    #[rstest]
    #[case(b"12", "(2 bytes, hash ")]
    #[case(b"1", "(1 byte, hash ")]
    #[case(b"", "(0 bytes, hash ")]
    fn a_redacted_value_says_how_long_it_is(#[case] value: &[u8], #[case] expected: &str) {
        let shown = Redactor::new(Values::Redacted).value(value).in_line();
        assert!(shown.starts_with(expected) && shown.len() == expected.len() + 9, "{shown}");
    }

    #[test]
    fn a_shown_value_cannot_drive_the_terminal() {
        let redactor = Redactor::new(Values::Shown);
        assert_eq!(redactor.value(b"a\x1b[2Jb\n").in_line(), r#""a\u{1b}[2Jb\n""#);
        assert_eq!(redactor.value(b"\xff\x00").in_line(), "base64 /wA=");
    }

    #[rstest]
    #[case::own(Metadata::Labels, "reconcile.external-secrets.io/managed", "true", true)]
    #[case::copied(Metadata::Labels, "team", "a", true)]
    #[case::written(Metadata::Annotations, "note", "hello", true)]
    #[case::rendered(Metadata::Annotations, "made", "hunter2", false)]
    #[case::of_before(Metadata::Labels, "team", "b", false)]
    #[case::of_all_data(Metadata::Annotations, ANNOTATION_DATA_HASH, "0123", false)]
    fn metadata_is_shown_only_if_it_is_in_the_manifest(
        #[case] part: Metadata,
        #[case] key: &str,
        #[case] value: &str,
        #[case] public: bool,
    ) {
        let spec: ExternalSecretSpec = serde_json::from_value(json!({"target": {"template": {"metadata": {
            "annotations": {"note": "hello", "made": "{{ .password }}"},
        }}}}))
        .unwrap();
        let meta = ObjectMeta { labels: Some([("team".into(), "a".into())].into()), ..ObjectMeta::default() };
        let owner = Owner::new(&meta, &spec, ServedVersion::V1);
        let shown = Redactor::new(Values::Redacted).metadata(part, key, value, owner);
        assert_eq!(matches!(shown, Shown::Text(_)), public, "{shown:?}");
    }
}
