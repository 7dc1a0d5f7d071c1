//! Searches: what matches, what a search costs, and lists that cannot be trusted.

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::azure::{Azure, FakeCluster, Reply, Seen};
use super::*;
use crate::api::v1::external_secret::{Find, FindName};

const HOST: &str = "my-vault.vault.azure.net";

fn item(name: &str, enabled: bool, tags: &Value) -> Value {
    json!({"id": format!("https://{HOST}/secrets/{name}"), "attributes": {"enabled": enabled}, "tags": tags})
}

/// A vault with two pages of secrets.
fn two_pages(request: &Seen) -> Reply {
    if request.path != "/secrets" {
        return Reply::secret(request);
    }
    if request.query.contains("skiptoken=2") {
        return Reply::json(
            &json!({"value": [item("c", true, &json!({"env": "prod", "team": "x"}))], "nextLink": null}),
        );
    }
    Reply::json(&json!({
        "value": [
            item("a", true, &json!({"env": "prod"})),
            item("off", false, &json!({"env": "prod"})),
            item("b", true, &json!({"env": "test"})),
            item("bare", true, &Value::Null),
        ],
        "nextLink": format!("https://{HOST}/secrets?api-version=7.6&$skiptoken=2&maxresults=25"),
    }))
}

fn tagged(tags: &[(&str, &str)]) -> Find {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Find { tags: Some(tags), path: Some("ignored".to_owned()), ..Find::default() }
}

fn named(regexp: &str, tags: &[(&str, &str)]) -> Find {
    Find { name: Some(FindName { regexp: Some(regexp.to_owned()) }), ..tagged(tags) }
}

async fn search(
    find: &Find,
    vault: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Arc<Azure>, Result<Vec<(String, String)>, ProviderError>) {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(vault);
    let provider = provider(&azure, &cluster, options());
    let found = client(&provider, store()).await.unwrap().find(find, SHARED, &ReadBudget::alone()).await;
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let found = found.map(|read| {
        read.value.into_iter().map(|(name, value)| (name, text(value.expose_secret()))).collect::<Vec<_>>()
    });
    (azure, found)
}

#[rstest]
#[case::one_tag(tagged(&[("env", "prod")]), &["a", "c"])]
#[case::all_tags_must_be_equal(tagged(&[("env", "prod"), ("team", "x")]), &["c"])]
#[case::another_value(tagged(&[("env", "Prod")]), &[])]
#[case::name(named("^[ab]", &[]), &["a", "b", "bare"])]
#[case::name_anywhere(named("a", &[]), &["a", "bare"])]
#[case::name_in_the_syntax_of_go(named(r"\Abar\x65\z|\Qc\E", &[]), &["bare", "c"])]
#[case::name_and_tags(named("a|c", &[("env", "prod")]), &["a", "c"])]
#[case::name_and_tags_both(named("a|b", &[("env", "prod")]), &["a"])]
#[case::no_name_matches(named("^$", &[]), &[])]
#[case::an_empty_name_is_none(named("", &[("team", "x")]), &["c"])]
#[case::nothing_asked_for(Find::default(), &["a", "b", "bare", "c"])]
#[tokio::test]
async fn what_matches_is_read_from_all_pages_and_disabled_secrets_are_left_out(
    #[case] find: Find,
    #[case] expected: &[&str],
) {
    let (azure, found) = search(&find, two_pages).await;
    let expected: Vec<_> = expected.iter().map(|name| ((*name).to_owned(), format!("value of {name}"))).collect();
    assert_eq!(found.unwrap(), expected);
    assert_eq!(azure.to(HOST).len(), 2 + expected.len());
}

#[tokio::test]
async fn an_invalid_regular_expression_is_an_error_and_costs_nothing() {
    let (azure, found) = search(&named("a(", &[]), two_pages).await;
    let refused = found.unwrap_err();
    assert_eq!(refused.class, Class::InvalidReference);
    assert!(refused.message.contains("find.name.regexp is not a regular expression: missing closing )"), "{refused}");
    assert!(azure.to(HOST).is_empty());
}

#[tokio::test]
async fn searches_at_the_same_time_share_one_list_and_the_reads() {
    let (azure, cluster) = (Azure::new(), FakeCluster::with_reader());
    azure.on_vault(two_pages);
    let provider = provider(&azure, &cluster, Options { coalesce: Duration::from_mins(10), ..options() });
    let client = client(&provider, store()).await.unwrap();
    let (all, prod) = (Find::default(), tagged(&[("env", "prod")]));
    let budget = ReadBudget::alone();
    let searches = (0..20).map(|n| client.find(if n % 2 == 0 { &all } else { &prod }, SHARED, &budget));
    let found = futures::future::join_all(searches);
    assert!(found.await.iter().all(Result::is_ok));
    assert_eq!(azure.to(HOST).len(), 2 + 4);
}

#[tokio::test]
async fn a_secret_that_is_deleted_or_disabled_after_the_list_is_left_out() {
    let gone = |request: &Seen| match request.path.as_str() {
        "/secrets/a/" => {
            Reply::status(404).with_json(&json!({"error": {"code": "SecretNotFound", "message": "it is gone"}}))
        }
        "/secrets/b/" => Reply::status(403).with_json(
            &json!({"error": {"code": "Forbidden", "message": "it is off", "innererror": {"code": "SecretDisabled"}}}),
        ),
        _ => two_pages(request),
    };
    let (_, found) = search(&Find::default(), gone).await;
    let names: Vec<_> = found.unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["bare", "c"]);
}

#[tokio::test]
async fn a_value_that_may_not_be_read_fails_the_search() {
    let denied = |request: &Seen| match request.path.as_str() {
        "/secrets/a/" => Reply::status(403).with_json(
            &json!({"error": {"code": "Forbidden", "message": "no", "innererror": {"code": "ForbiddenByRbac"}}}),
        ),
        _ => two_pages(request),
    };
    let refused = search(&Find::default(), denied).await.1.unwrap_err();
    assert_eq!(refused.class, Class::Denied);
    assert!(refused.message.starts_with("secret \"a\" in vault my-vault.vault.azure.net"), "{refused}");
}

#[tokio::test]
async fn one_secret_without_a_value_is_named_and_hides_no_other() {
    // Like a certificate that is being issued.
    let pending = |request: &Seen| match request.path.as_str() {
        "/secrets" => {
            let items: Vec<_> = (0..10).map(|number| item(&format!("s-{number}"), true, &json!({}))).collect();
            Reply::json(&json!({ "value": items }))
        }
        "/secrets/s-3/" | "/secrets/s-7/" => Reply::json(&json!({"id": "x", "attributes": {"enabled": true}})),
        _ => Reply::secret(request),
    };
    for _ in 0..5 {
        let refused = search(&Find::default(), pending).await.1.unwrap_err();
        assert!(refused.message.starts_with("secret \"s-3\": the answer holds no value"), "{refused}");
        assert!(refused.to_string().contains("have dataFrom.find leave it out"), "{refused}");
    }
}

/// A vault with `count` secrets of `bytes` bytes.
fn vault_of(count: usize, bytes: usize) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    move |request| match request.path.as_str() {
        "/secrets" => {
            let items: Vec<_> = (0..count).map(|number| item(&format!("s-{number}"), true, &json!({}))).collect();
            Reply::json(&json!({ "value": items }))
        }
        _ => Reply::json(&json!({"value": "x".repeat(bytes), "id": "x", "attributes": {"enabled": true}})),
    }
}

#[tokio::test]
async fn a_search_that_finds_more_than_may_be_read_stops_and_says_so() {
    let (azure, found) = search(&Find::default(), vault_of(160, 900_000)).await;
    let refused = found.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::OverBudget, "ReadBudgetExceeded"));
    assert!(refused.to_string().contains("4 MiB"), "{refused}");
    let asked = azure.to(HOST).len();
    assert!(asked < 100, "{asked}: no more than those under way");
}

#[tokio::test]
async fn a_search_for_as_much_as_may_be_read_finds_all() {
    let (_, found) = search(&Find::default(), vault_of(150, 25_000)).await;
    assert_eq!(found.unwrap().len(), 150);
}

#[tokio::test]
async fn a_list_that_is_refused_says_which_permission_is_missing() {
    let refused = |_: &Seen| {
        Reply::status(403).with_json(&json!({"error": {
            "code": "Forbidden", "innererror": {"code": "AccessDenied"},
            "message": "The user, group or application 'appid=a;oid=the-object;iss=i' does not have secrets list permission on key vault 'v;location=l'.",
        }}))
    };
    let refused = search(&Find::default(), refused).await.1.unwrap_err();
    assert_eq!(refused.class, Class::Denied);
    for words in ["the list of secrets in vault", "permissions get and list", "the-object"] {
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_page_of_a_throttled_vault_is_asked_for_again_and_no_page_twice() {
    let refusals = AtomicUsize::new(0);
    let throttled = move |request: &Seen| {
        let second = request.path == "/secrets" && request.query.contains("skiptoken=2");
        if second && refusals.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::status(429)
                .with_header("retry-after-ms", "20")
                .with_json(&json!({"error": {"code": "Throttled", "message": "slow down"}}));
        }
        two_pages(request)
    };
    let (azure, found) = search(&Find::default(), throttled).await;
    assert_eq!(found.unwrap().len(), 4);
    assert_eq!(azure.to(HOST).iter().filter(|request| request.path == "/secrets").count(), 3);
}

#[rstest]
#[case::another_host("https://evil.example/secrets?$skiptoken=2")]
#[case::another_vault("https://other-vault.vault.azure.net/secrets?$skiptoken=2")]
#[case::another_port("https://my-vault.vault.azure.net:8443/secrets")]
#[case::without_tls("http://my-vault.vault.azure.net/secrets")]
#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for(#[case] link: &'static str) {
    let (azure, found) = search(&Find::default(), move |_| Reply::json(&json!({"value": [], "nextLink": link}))).await;
    // Without TLS the SDK itself refuses to send a token.
    assert!(matches!(found.unwrap_err().cause, "ForeignHost" | "UnexpectedAnswer"));
    assert_eq!(azure.all().iter().filter(|request| request.path == "/secrets").count(), 1);
}

#[rstest]
#[case::name("https://my-vault.vault.azure.net/secrets/a%2F..")]
#[case::no_name("https://my-vault.vault.azure.net/secrets/?x")]
#[tokio::test]
async fn a_listed_name_that_could_leave_its_place_in_the_url_is_refused(#[case] id: &'static str) {
    let listed = move |_: &Seen| Reply::json(&json!({"value": [{"id": id, "attributes": {"enabled": true}}]}));
    let (azure, found) = search(&Find::default(), listed).await;
    assert_eq!(found.unwrap_err().cause, "UnexpectedAnswer");
    assert_eq!(azure.to(HOST).len(), 1);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let endless = |_: &Seen| {
        Reply::json(&json!({"value": [], "nextLink": "https://my-vault.vault.azure.net/secrets?$skiptoken=2"}))
    };
    let (azure, found) = search(&Find::default(), endless).await;
    assert_eq!(found.unwrap_err().cause, "AnswerTooLarge");
    assert_eq!(azure.to(HOST).len(), 40);
}

#[tokio::test]
async fn a_list_that_would_fill_the_memory_is_given_up() {
    let large = |_: &Seen| {
        let tags = json!({"large": "x".repeat(40_000)});
        Reply::json(
            &json!({"value": [item("a", true, &tags)], "nextLink": "https://my-vault.vault.azure.net/secrets?$skiptoken=2"}),
        )
    };
    let (azure, found) = search(&Find::default(), large).await;
    assert_eq!(found.unwrap_err().cause, "AnswerTooLarge");
    assert_eq!(azure.to(HOST).len(), 2);
}
