//! Keys, certificates, tags, times and searches.

use external_secrets::api::v1::external_secret::{Find, FindName, MetadataPolicy, RemoteRef};
use external_secrets::provider::{Class, ObjectMark, ProviderError, ReadBudget, SecretsClient};
use external_secrets::sandbox::{
    CertificatePermission, CertificatePolicy, Effect, Fault, KeyKind, KeyPermission, ObjectProperties,
    SecretPermission, SecretProperties,
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::support::{CANARY, SHARED, World, get, reference};

async fn world() -> World {
    let world = World::new().await;
    let vault = &world.vault;
    vault.allow(&world.application, [SecretPermission::Get, SecretPermission::List]);
    vault.allow(&world.application, KeyPermission::Get).allow(&world.application, CertificatePermission::Get);
    world
}

fn tags(tags: &[(&str, &str)]) -> ObjectProperties {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut properties = ObjectProperties { tags: Some(tags), ..ObjectProperties::default() };
    properties.attributes.expires = Some(4_000_000_000);
    properties
}

fn tagged(tag: &[(&str, &str)]) -> SecretProperties {
    let ObjectProperties { attributes, tags } = tags(tag);
    SecretProperties { content_type: None, attributes, tags }
}

fn metadata(key: &str, property: Option<&str>) -> RemoteRef {
    let property = property.map(ToOwned::to_owned);
    RemoteRef { metadata_policy: Some(MetadataPolicy::Fetch), property, ..reference(key) }
}

#[tokio::test]
async fn keys_are_json_web_keys_and_certificates_their_bytes() {
    let world = world().await;
    let version = world.vault.create_key("signing", KeyKind::P256).unwrap();
    world.vault.create_certificate("site", CertificatePolicy::self_signed("CN=www.example.com")).unwrap();
    let client = world.client(&world.provider(world.options())).await;

    let key = get(client.as_ref(), &reference("key/signing")).await.unwrap();
    let expected = format!(
        r#"{{"kid":"{}/keys/signing/{version}","kty":"EC","key_ops":["sign","verify"],"crv":"P-256","x":""#,
        world.vault.url()
    );
    assert!(key.starts_with(&expected), "{key}");
    let curve = RemoteRef { property: Some("crv".to_owned()), ..reference("key/signing") };
    assert_eq!(get(client.as_ref(), &curve).await.unwrap(), "P-256");

    let certificate = client.get_secret(&reference("cert/site"), SHARED).await.unwrap().value;
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate.expose_secret()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(parsed.subject().to_string(), "CN=www.example.com");
    // The certificate's key and secret have the same name.
    let key = get(client.as_ref(), &reference("key/site")).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&key).unwrap()["kty"], "RSA");
    get(client.as_ref(), &reference("secret/site")).await.unwrap();
    assert_eq!(world.vault.counters().operation("GetCertificate"), 1);
}

#[tokio::test]
async fn a_pinned_version_of_a_key_stays_unchanged() {
    let world = world().await;
    let first = world.vault.create_key("k", KeyKind::P256).unwrap();
    world.vault.create_key("k", KeyKind::P384).unwrap();
    let client = world.client(&world.provider(world.options())).await;
    let curve = |version| RemoteRef { version, property: Some("crv".to_owned()), ..reference("key/k") };
    assert_eq!(get(client.as_ref(), &curve(None)).await.unwrap(), "P-384");
    let first = first.rsplit('/').next().unwrap().to_owned();
    assert_eq!(get(client.as_ref(), &curve(Some(first))).await.unwrap(), "P-256");
}

#[tokio::test]
async fn tags_and_times_of_each_kind_are_read_with_one_request_for_all_of_an_object() {
    let world = world().await;
    let of = |kind: &str| [("of", kind.to_owned()), ("owner", r#"{"team":"a"}"#.to_owned())];
    let own = |kind: &str| tags(&of(kind).each_ref().map(|(name, value)| (*name, value.as_str())));
    world.vault.set_secret_with("a", "v", tagged(&[("of", "secret"), ("owner", r#"{"team":"a"}"#)])).unwrap();
    world.vault.create_key_with("b", KeyKind::P256, own("key")).unwrap();
    let policy = CertificatePolicy::self_signed("CN=c");
    world.vault.create_certificate_with("c", policy, own("cert")).unwrap();
    let client = world.client(&world.provider(world.options())).await;
    for (key, kind) in [("secret/a", "secret"), ("key/b", "key"), ("cert/c", "cert")] {
        world.vault.reset_counters();
        let expected = [("of", kind), ("owner.team", "a"), ("attribute.created", "20"), ("attribute.updated", "20")];
        let reads = expected.map(|(property, _)| metadata(key, Some(property)));
        let found = futures::future::join_all(reads.iter().map(|one| get(client.as_ref(), one))).await;
        for ((property, expected), found) in expected.iter().zip(found) {
            let found = found.unwrap();
            assert!(found.starts_with(expected), "{property} of {key}: {found}");
        }
        assert_eq!(world.vault.counters().requests, 1, "{key}");
        let all: Value = serde_json::from_str(&get(client.as_ref(), &metadata(key, None)).await.unwrap()).unwrap();
        assert_eq!((&all["of"], &all["owner"]), (&kind.into(), &r#"{"team":"a"}"#.into()));
    }
    let expires = get(client.as_ref(), &metadata("a", Some("attribute.expires"))).await.unwrap();
    assert_eq!(expires, "2096-10-02T07:06:40Z");
    let missing = get(client.as_ref(), &metadata("a", Some("attribute.notBefore"))).await.unwrap_err();
    assert_eq!(missing.class, Class::PropertyMissing);
}

#[tokio::test]
async fn absent_and_forbidden_objects_are_reported_by_kind() {
    let world = World::new().await;
    world.vault.allow(&world.application, KeyPermission::Get);
    let client = world.client(&world.provider(world.options())).await;
    let absent = get(client.as_ref(), &reference("key/none")).await.unwrap_err();
    assert_eq!((absent.class, absent.cause), (Class::Absent, "KeyNotFound"));
    assert!(absent.message.starts_with("key \"none\" in vault"), "{absent}");
    let denied = get(client.as_ref(), &reference("cert/none")).await.unwrap_err();
    assert_eq!((denied.class, denied.cause), (Class::Denied, "AccessDenied"));
    assert!(denied.message.contains("certificates get permission"), "{denied}");
}

#[tokio::test]
async fn a_mark_is_of_the_secret_and_changes_when_it_does() {
    let world = world().await;
    world.vault.set_secret("a", "1").unwrap();
    let client = world.client(&world.provider(world.options())).await;
    let mark = client.get_secret(&reference("a"), SHARED).await.unwrap().mark.unwrap();
    let url = format!("{}/secrets/a", world.vault.url().trim_end_matches('/'));
    assert_eq!(mark.object, ObjectMark::of(&url));
    assert!(mark.updated <= mark.read && mark.read - mark.updated < 60, "{mark:?}");
}

async fn find(client: &dyn SecretsClient, regexp: &str, tags: &[(&str, &str)]) -> Result<Vec<String>, ProviderError> {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let find = Find { name: Some(FindName { regexp: Some(regexp.to_owned()) }), tags: Some(tags), ..Find::default() };
    let found = client.find(&find, SHARED, &ReadBudget::alone()).await?;
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    Ok(found.value.iter().map(|(name, value)| format!("{name}={}", text(value.expose_secret()))).collect())
}

#[tokio::test]
async fn a_search_goes_through_all_pages_and_reads_what_matches() {
    let world = world().await;
    for number in 0..60 {
        let env = if number % 2 == 0 { "prod" } else { "test" };
        let properties = tagged(&[("env", env)]);
        world.vault.set_secret_with(&format!("app-{number}"), &number.to_string(), properties).unwrap();
    }
    world.vault.set_secret("other", CANARY).unwrap();
    world.vault.enable_secret("app-20", false).unwrap();
    let client = world.client(&world.provider(world.options())).await;
    let found = find(client.as_ref(), "^app-[12].$", &[("env", "prod")]).await.unwrap();
    let expected: Vec<_> = (10..30)
        .filter(|number| number % 2 == 0 && *number != 20)
        .map(|number| format!("app-{number}={number}"))
        .collect();
    assert_eq!(found, expected);
    let counters = world.vault.counters();
    assert_eq!((counters.operation("GetSecrets"), counters.operation("GetSecret")), (3, 9));
    assert_eq!(find(client.as_ref(), "^none$", &[]).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_search_without_the_permission_to_list_says_so() {
    let world = World::new().await;
    let client = world.client(&world.provider(world.options())).await;
    let refused = find(client.as_ref(), ".", &[]).await.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::Denied, "AccessDenied"));
    assert!(refused.to_string().contains("permissions get and list"), "{refused}");
}

#[tokio::test]
async fn a_next_page_in_another_vault_gets_no_token() {
    let world = world().await;
    let other = world.sandbox.vault("other-vault").unwrap();
    // One more than fits on a page.
    for number in 0..26 {
        world.vault.set_secret(&format!("s-{number}"), "1").unwrap();
    }
    world.vault.fault(Fault::new(Effect::NextLink(format!("{}/secrets?page=2", other.url()))));
    let client = world.client(&world.provider(world.options())).await;
    assert_eq!(find(client.as_ref(), ".", &[]).await.unwrap_err().cause, "ForeignHost");
    assert_eq!(other.counters().requests, 0);
}
