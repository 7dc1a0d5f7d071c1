//! What the API server requires of a Secret. A violation is found before the write, and reported without quoting the
//! Secret.
//!
//! The rules are those of `ValidateSecret` in Kubernetes' `pkg/apis/core/validation`.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde::de::IgnoredAny;

/// The most bytes in the values of a Secret (`MaxSecretSize`).
const MAX_SIZE: usize = 1 << 20;

/// What is wrong with a Secret. Contains no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Its type requires something that it lacks: the words after "which needs".
    Type(&'static str),
    /// Its values have this many bytes.
    Size(usize),
}

/// What the API server would reject.
pub(super) fn check(secret: &Secret) -> Result<(), Problem> {
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let size: usize = data.values().map(|value| value.0.len()).sum();
    if size > MAX_SIZE {
        return Err(Problem::Size(size));
    }
    match missing(secret.type_.as_deref().unwrap_or_default(), data) {
        Some(missing) => Err(Problem::Type(missing)),
        None => Ok(()),
    }
}

/// What a Secret of a type lacks.
fn missing(type_: &str, data: &BTreeMap<String, ByteString>) -> Option<&'static str> {
    let has = |key: &str| data.contains_key(key);
    match type_ {
        "kubernetes.io/tls" => match (has("tls.crt"), has("tls.key")) {
            (true, true) => None,
            (true, false) => Some("the key \"tls.key\""),
            (false, true) => Some("the key \"tls.crt\""),
            (false, false) => Some("the keys \"tls.crt\" and \"tls.key\""),
        },
        "kubernetes.io/dockerconfigjson" => match data.get(".dockerconfigjson") {
            None => Some("the key \".dockerconfigjson\""),
            Some(value) => (!is_object(value)).then_some("a JSON object in the key \".dockerconfigjson\""),
        },
        "kubernetes.io/dockercfg" => match data.get(".dockercfg") {
            None => Some("the key \".dockercfg\""),
            Some(value) => (!is_object(value)).then_some("a JSON object in the key \".dockercfg\""),
        },
        "kubernetes.io/basic-auth" => {
            (!has("username") && !has("password")).then_some("the key \"username\" or \"password\"")
        }
        "kubernetes.io/ssh-auth" => data
            .get("ssh-privatekey")
            .is_none_or(|key| key.0.is_empty())
            .then_some("a value in the key \"ssh-privatekey\""),
        _ => None,
    }
}

/// Whether Go reads a value as a JSON object; `null` counts as one.
fn is_object(value: &ByteString) -> bool {
    // Go ignores whether names are valid UTF-8.
    let text = String::from_utf8_lossy(&value.0);
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
    is_json && matches!(text.trim_start().bytes().next(), Some(b'{' | b'n'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn secret(type_: &str, data: &[(&str, &str)]) -> Secret {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        Secret { type_: Some(type_.to_owned()), data: Some(data.collect()), ..Secret::default() }
    }

    #[rstest]
    #[case("kubernetes.io/tls", &[("tls.crt", ""), ("tls.key", "")], None)]
    #[case("kubernetes.io/tls", &[("tls.crt", "x")], Some("the key \"tls.key\""))]
    #[case("kubernetes.io/tls", &[("a", "x")], Some("the keys \"tls.crt\" and \"tls.key\""))]
    #[case("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "{\"auths\":{}}")], None)]
    #[case("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "null")], None)]
    #[case("kubernetes.io/dockerconfigjson", &[("config.json", "{}")], Some("the key \".dockerconfigjson\""))]
    #[case("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "e30=")], Some("a JSON object in the key \".dockerconfigjson\""))]
    #[case("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "\u{feff}{}")], Some("a JSON object in the key \".dockerconfigjson\""))]
    #[case("kubernetes.io/dockerconfigjson", &[(".dockerconfigjson", "[]")], Some("a JSON object in the key \".dockerconfigjson\""))]
    #[case("kubernetes.io/dockercfg", &[], Some("the key \".dockercfg\""))]
    #[case("kubernetes.io/dockercfg", &[(".dockercfg", "x")], Some("a JSON object in the key \".dockercfg\""))]
    #[case("kubernetes.io/basic-auth", &[("password", "")], None)]
    #[case("kubernetes.io/basic-auth", &[("user", "x")], Some("the key \"username\" or \"password\""))]
    #[case("kubernetes.io/ssh-auth", &[("ssh-privatekey", "x")], None)]
    #[case("kubernetes.io/ssh-auth", &[("ssh-privatekey", "")], Some("a value in the key \"ssh-privatekey\""))]
    #[case("Opaque", &[], None)]
    #[case("example.com/any", &[], None)]
    fn a_secret_has_what_its_type_asks_for(
        #[case] type_: &str,
        #[case] data: &[(&str, &str)],
        #[case] missing: Option<&'static str>,
    ) {
        assert_eq!(check(&secret(type_, data)), missing.map_or(Ok(()), |missing| Err(Problem::Type(missing))));
    }

    #[test]
    fn a_secret_holds_a_mebibyte_at_most() {
        let full = "x".repeat(MAX_SIZE);
        assert_eq!(check(&secret("Opaque", &[("a", &full)])), Ok(()));
        assert_eq!(check(&secret("Opaque", &[("a", &full), ("b", "x")])), Err(Problem::Size(MAX_SIZE + 1)));
    }
}
