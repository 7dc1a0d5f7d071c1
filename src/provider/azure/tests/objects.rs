//! Keys, certificates, tags and properties, and that one object costs one request.

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::azure::{Azure, FakeCluster, Reply, Seen};
use super::*;
use crate::api::v1::external_secret::MetadataPolicy;

/// A vault with one object of each kind.
fn answer(request: &Seen) -> Reply {
    let kind = request.path.split('/').nth(1).unwrap().to_owned();
    let mut answer: Value = match kind.as_str() {
        "secrets" => json!({"value": r#"{"user":"root","port":5432,"none":null,"in":{"a":1}}"#}),
        "keys" => {
            json!({"key": {"kty": "RSA", "kid": "https://v/keys/x/1", "n": "AQ", "e": "AQAB", "key_ops": ["sign"]}})
        }
        _ => json!({"cer": "MIIB"}),
    };
    answer["id"] = json!(format!("https://my-vault.vault.azure.net/{kind}/x/1"));
    answer["tags"] = json!({"of": kind, "owner": r#"{"team":"a&b"}"#});
    answer["attributes"] = json!({"enabled": true, "exp": 1_700_000_000, "updated": 1_600_000_000});
    Reply::json(&answer).with_header("date", "Tue, 14 Nov 2023 22:13:20 GMT")
}

async fn reader(options: Options) -> (Arc<Azure>, Arc<dyn SecretsClient>) {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(answer);
    let provider = provider(&azure, &cluster, options);
    let client = client(&provider, store()).await.unwrap();
    (azure, client)
}

fn of(key: &str, property: Option<&str>, metadata_policy: Option<MetadataPolicy>) -> RemoteRef {
    RemoteRef { property: property.map(ToOwned::to_owned), metadata_policy, ..reference(key) }
}

const FETCH: Option<MetadataPolicy> = Some(MetadataPolicy::Fetch);

#[rstest]
#[case::secret("secret/x", None, None, r#"{"user":"root","port":5432,"none":null,"in":{"a":1}}"#)]
#[case::key("key/x", None, None, r#"{"kid":"https://v/keys/x/1","kty":"RSA","key_ops":["sign"],"n":"AQ","e":"AQAB"}"#)]
#[case::property_of_a_key("key/x", Some("key_ops.0"), None, "sign")]
#[case::certificate("cert/x", None, None, "0\u{2}\u{1}")]
#[case::certificates_have_no_properties("cert/x", Some("a"), None, "0\u{2}\u{1}")]
#[case::tag_of_a_secret("x", Some("of"), FETCH, "secrets")]
#[case::tag_of_a_key("key/x", Some("of"), FETCH, "keys")]
#[case::tag_of_a_certificate("cert/x", Some("of"), FETCH, "certificates")]
#[case::path_in_a_tag("cert/x", Some("owner.team"), FETCH, "a&b")]
#[case::time("key/x", Some("attribute.expires"), FETCH, "2023-11-14T22:13:20Z")]
#[case::all_tags("x", None, FETCH, r#"{"attribute.expires":"2023-11-14T22:13:20Z","attribute.updated":"2020-09-13T12:26:40Z","of":"secrets","owner":"{\"team\":\"a\u0026b\"}"}"#)]
#[tokio::test]
async fn what_a_reference_names_is_read(
    #[case] key: &str,
    #[case] property: Option<&str>,
    #[case] policy: Option<MetadataPolicy>,
    #[case] expected: &str,
) {
    let (_, client) = reader(options()).await;
    let value = client.get_secret(&of(key, property, policy), SHARED).await.unwrap().value;
    // The certificate in these tests is 30 82 01, whose second byte is not text.
    let shown: String = value.expose_secret().iter().map(|byte| char::from(byte & 0x7f)).collect();
    assert_eq!(shown, expected);
}

#[rstest]
#[case("secret/x", "/secrets/x/")]
#[case("key/x", "/keys/x/")]
#[case("cert/x", "/certificates/x/")]
#[tokio::test]
async fn five_properties_tags_and_times_of_one_object_are_one_request(#[case] key: &str, #[case] path: &str) {
    let (azure, client) = reader(options()).await;
    let references = [
        of(key, None, None),
        of(key, Some("of"), FETCH),
        of(key, Some("owner.team"), FETCH),
        of(key, Some("attribute.updated"), FETCH),
        of(key, None, FETCH),
    ];
    let values = futures::future::join_all(references.iter().map(|one| client.get_secret(one, SHARED))).await;
    assert!(values.iter().all(Result::is_ok), "{values:?}");
    let paths: Vec<_> = azure.to("my-vault.vault.azure.net").into_iter().map(|request| request.path).collect();
    assert_eq!(paths, [path]);
}

#[tokio::test]
async fn versions_are_of_each_kind() {
    let (azure, client) = reader(options()).await;
    let version = "0123456789abcdef0123456789abcdef";
    for key in ["secret/x", "key/x", "cert/x"] {
        let reference = RemoteRef { version: Some(version.to_owned()), ..reference(key) };
        assert_eq!(client.get_secret(&reference, SHARED).await.unwrap().mark, None);
    }
    let paths: Vec<_> = azure.to("my-vault.vault.azure.net").into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["secrets", "keys", "certificates"].map(|kind| format!("/{kind}/x/{version}")));
}

#[tokio::test]
async fn the_current_version_of_a_secret_is_marked_with_the_vaults_times() {
    let (_, client) = reader(options()).await;
    let expected = crate::provider::ReadMark {
        object: crate::provider::ObjectMark::of("https://my-vault.vault.azure.net/secrets/x"),
        updated: 1_600_000_000,
        read: 1_700_000_000,
    };
    for reference in [of("x", None, None), of("x", Some("user"), None), of("x", None, FETCH)] {
        assert_eq!(client.get_secret(&reference, SHARED).await.unwrap().mark.as_ref(), Some(&expected));
        let reference = RemoteRef { property: None, ..reference };
        assert_eq!(client.get_secret_map(&reference, SHARED).await.unwrap().mark.as_ref(), Some(&expected));
    }
    assert_eq!(client.get_secret(&of("key/x", None, None), SHARED).await.unwrap().mark, None);
}

#[tokio::test]
async fn the_expiry_of_a_value_is_reported() {
    let (_, client) = reader(options()).await;
    assert_eq!(client.get_secret(&of("x", Some("user"), None), SHARED).await.unwrap().expires, Some(1_700_000_000));
    assert_eq!(client.get_secret_map(&of("x", None, FETCH), SHARED).await.unwrap().expires, Some(1_700_000_000));
}

#[rstest]
#[case::all(of("x", None, None), &[("in", r#"{"a":1}"#), ("none", ""), ("port", "5432"), ("user", "root")])]
#[case::of_a_property(of("secret/x", Some("in"), None), &[("a", "1")])]
#[case::tags(of("secret/x", None, FETCH), &[
    ("x_attribute.expires", "2023-11-14T22:13:20Z"), ("x_attribute.updated", "2020-09-13T12:26:40Z"),
    ("x_of", "secrets"), ("x_owner_team", "a&b"),
])]
#[case::one_tag(of("x", Some("of"), FETCH), &[("x_of", "secrets")])]
#[tokio::test]
async fn extract_gives_members_or_tags(#[case] reference: RemoteRef, #[case] expected: &[(&str, &str)]) {
    let (_, client) = reader(options()).await;
    let map = client.get_secret_map(&reference, SHARED).await.unwrap().value;
    let shown: Vec<_> =
        map.iter().map(|(key, value)| (key.as_str(), std::str::from_utf8(value.expose_secret()).unwrap())).collect();
    assert_eq!(shown, expected);
}

#[rstest]
#[case::key(of("key/x", None, None), Class::InvalidReference, "cannot take \"key/x\" apart")]
#[case::tags_of_a_certificate(of("cert/x", None, FETCH), Class::InvalidReference, "cannot take \"cert/x\" apart")]
#[case::no_object(
    of("x", Some("user"), None),
    Class::PropertyMissing,
    "property \"user\" of secret \"x\" is not a JSON object"
)]
#[case::no_tag(of("x", Some("gone"), FETCH), Class::PropertyMissing, "no tag or attribute \"gone\"")]
#[tokio::test]
async fn a_value_that_cannot_be_extracted_is_reported(
    #[case] reference: RemoteRef,
    #[case] class: Class,
    #[case] words: &str,
) {
    let (_, client) = reader(options()).await;
    let refused = client.get_secret_map(&reference, SHARED).await.unwrap_err();
    assert_eq!(refused.class, class);
    assert!(refused.message.contains(words), "{refused}");
    assert!(!refused.to_string().contains("root"), "{refused}");
}
