//! Checks of a SecretStore or ClusterSecretStore: those of ESO's webhook, and those of its provider that need no
//! request.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Problem;
use super::expressions::{self, Patterns};
use crate::api::v1::StoreKind;
use crate::api::v1::secret_store::{AzureAuthType, AzureKvProvider, ClusterSecretStoreCondition, SecretStoreSpec};
use crate::api::{GoDuration, limits};
use crate::budget::{PATTERN, PATTERNS};
use crate::provider::azure::Options;
use crate::provider::azure::validate as azurekv;
use crate::provider::registry::{self, Served};
use crate::provider::{ProviderError, StoreView, fake};
use crate::re2::{Allowance, Pattern, Regex};

/// The shortest interval. Without it, a store could be validated without a pause.
const SHORTEST: Duration = Duration::from_secs(1);
/// Nobody needs to know more often whether a store works.
const OFTEN: Duration = Duration::from_secs(30);

/// Everything that is wrong with a store; empty if nothing is. `azure` contains the operator's settings for vaults.
#[must_use]
pub fn check(view: &StoreView<'_>, azure: &Options) -> Vec<Problem> {
    let mut problems = general(view.spec);
    problems.extend(provider(view, azure));
    problems
}

/// What is wrong with a store, whatever its provider.
#[must_use]
pub fn general(spec: &SecretStoreSpec) -> Vec<Problem> {
    let long_lists = long_lists(spec);
    if !long_lists.is_empty() {
        return long_lists;
    }
    let mut problems: Vec<_> = interval(spec).err().into_iter().collect();
    let mut patterns = Patterns::default();
    for (index, condition) in spec.conditions.iter().enumerate() {
        for (regex, expression) in condition.namespace_regexes.iter().enumerate() {
            patterns.check(|| format!("spec.conditions[{index}].namespaceRegexes[{regex}]"), expression);
        }
    }
    problems.extend(patterns.into_problems());
    problems
}

/// Lists that exceed the CRD's limit, which an older CRD may have admitted.
fn long_lists(spec: &SecretStoreSpec) -> Vec<Problem> {
    let count = |field: &str, items, most| expressions::count(|| field.to_owned(), items, most);
    let provider = &spec.provider;
    let audiences = provider.azurekv.as_ref().and_then(|store| store.service_account_ref.as_ref());
    let mut problems: Vec<_> = [
        count("spec.conditions", spec.conditions.len(), limits::CONDITIONS),
        count("spec.provider.fake.data", provider.fake.as_ref().map_or(0, |store| store.data.len()), limits::FAKE_DATA),
        count(
            "spec.provider.azurekv.serviceAccountRef.audiences",
            audiences.map_or(0, |account| account.audiences.len()),
            limits::AUDIENCES,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (index, condition) in spec.conditions.iter().enumerate() {
        let field = format!("spec.conditions[{index}]");
        problems.extend(count(&format!("{field}.namespaces"), condition.namespaces.len(), limits::NAMESPACES));
        let regexes = condition.namespace_regexes.len();
        problems.extend(count(&format!("{field}.namespaceRegexes"), regexes, limits::NAMESPACE_REGEXES));
    }
    problems
}

/// Whether one of a condition's regular expressions matches a namespace. An invalid one matches nothing.
#[must_use]
pub fn names_namespace(condition: &ClusterSecretStoreCondition, namespace: &str) -> bool {
    let mut states = 0;
    condition.namespace_regexes.iter().any(|expression| {
        let Some(Compiled { regex, size }) = compiled(expression) else { return false };
        states += size + PATTERN;
        let mut allowance = Allowance::new(Allowance::ONE_CALL);
        states <= PATTERNS && regex.is_match(namespace.as_bytes(), &mut allowance) == Ok(true)
    })
}

/// A compiled regular expression of a condition.
#[derive(Clone)]
struct Compiled {
    regex: Regex,
    size: usize,
}

/// Compiles a regular expression of a condition, which is needed for every ExternalSecret that uses the store. The most
/// recently used ones are kept.
fn compiled(expression: &str) -> Option<Compiled> {
    static KEPT: LazyLock<Mutex<HashMap<String, Compiled>>> = LazyLock::new(Mutex::default);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = kept().get(expression) {
        return Some(compiled.clone());
    }
    let pattern = Pattern::parse(expression).ok()?;
    let size = pattern.size();
    let compiled = Compiled { regex: pattern.compile().ok()?, size };
    let mut kept = kept();
    let states: usize = kept.values().map(|kept| kept.size + PATTERN).sum();
    if states.saturating_add(size) > PATTERNS {
        kept.clear();
    }
    kept.insert(expression.to_owned(), compiled.clone());
    Some(compiled)
}

/// `spec.refreshInterval`: whole seconds or a Go duration, and at least a second. Zero or absent means the controller's
/// own interval.
///
/// # Errors
/// If it is neither.
pub fn interval(spec: &SecretStoreSpec) -> Result<Option<Duration>, Problem> {
    let duration = match &spec.refresh_interval {
        None => return Ok(None),
        Some(IntOrString::Int(seconds)) => GoDuration::from_secs(i64::from(*seconds)),
        Some(IntOrString::String(text)) => match text.parse::<i64>() {
            Ok(seconds) => GoDuration::from_secs(seconds),
            Err(_) => text.parse().map_err(|error| Problem::new("spec.refreshInterval", format!("{error}")))?,
        },
    };
    Ok(duration.positive().map(|interval| interval.max(SHORTEST)))
}

fn provider(view: &StoreView<'_>, azure: &Options) -> Vec<Problem> {
    let problem = |field: &str, error: ProviderError| vec![Problem::new(field, error.to_string())];
    match registry::served(view.spec) {
        Ok(Served::AzureKv(store)) => azurekv::store(view, store, azure)
            .into_iter()
            .map(|found| Problem::new(format!("spec.provider.{}", found.field), found.problem))
            .collect(),
        Ok(Served::Fake(store)) => {
            fake::check(store).map_or_else(|error| problem("spec.provider.fake", error), |()| Vec::new())
        }
        // ESO may support it; see `warnings`.
        Err(error) if error.cause == registry::NOT_SERVED => Vec::new(),
        Err(error) => problem("spec.provider", error),
    }
}

/// What is legal in a store, but probably a mistake.
#[must_use]
pub fn warnings(kind: StoreKind, spec: &SecretStoreSpec) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for name in spec.provider.others.keys() {
        let problem = "is not served by this controller, which serves azurekv and fake";
        warnings.push(Problem::new(format!("spec.provider.{name}"), problem));
    }
    if let Some(azurekv) = &spec.provider.azurekv {
        warnings.extend(custom_cloud(azurekv));
        warnings.extend(unused_credentials(azurekv));
    }
    if interval(spec).is_ok_and(|interval| interval.is_some_and(|interval| interval < OFTEN)) {
        let problem =
            "validates the store very often, and each validation is a request to the vault; the default is 5m";
        warnings.push(Problem::new("spec.refreshInterval", problem));
    }
    if kind == StoreKind::SecretStore && !spec.conditions.is_empty() {
        let problem = "has no effect in a SecretStore, which serves its own namespace only; remove it";
        warnings.push(Problem::new("spec.conditions", problem));
    }
    warnings.extend(spec.conditions.iter().enumerate().flat_map(|(index, condition)| wide_condition(index, condition)));
    warnings
}

/// ESO rejects what works here, so a store that uses it cannot be moved back.
fn custom_cloud(store: &AzureKvProvider) -> Option<Problem> {
    (store.custom_cloud_config.is_some() && store.use_azure_sdk != Some(true)).then(|| {
        let problem = "is accepted by ESO only with useAzureSDK: true; set it, if ESO is to take this store";
        Problem::new("spec.provider.azurekv.customCloudConfig", problem)
    })
}

/// References that the `authType` does not use.
fn unused_credentials(store: &AzureKvProvider) -> Option<Problem> {
    let (account, secrets) = (store.service_account_ref.is_some(), store.auth_secret_ref.is_some());
    let (unused, with) = match store.auth_type {
        AzureAuthType::ServicePrincipal if account => ("serviceAccountRef", "ServicePrincipal"),
        AzureAuthType::ManagedIdentity if account => ("serviceAccountRef", "ManagedIdentity"),
        AzureAuthType::ManagedIdentity if secrets => ("authSecretRef", "ManagedIdentity"),
        AzureAuthType::WorkloadIdentity if secrets && !account => {
            ("authSecretRef", "WorkloadIdentity and no serviceAccountRef")
        }
        _ => return None,
    };
    let problem = format!("has no effect with authType {with}; remove it, or correct authType");
    Some(Problem::new(format!("spec.provider.azurekv.{unused}"), problem))
}

/// Conditions that admit more namespaces than a reader expects.
fn wide_condition(index: usize, condition: &ClusterSecretStoreCondition) -> Vec<Problem> {
    let field = format!("spec.conditions[{index}]");
    let mut warnings = Vec::new();
    for (regex, expression) in condition.namespace_regexes.iter().enumerate() {
        if !(expression.starts_with('^') && expression.ends_with('$')) {
            let problem = format!("{expression:?} also matches within a longer name; write it as \"^...$\"");
            warnings.push(Problem::new(format!("{field}.namespaceRegexes[{regex}]"), problem));
        }
    }
    let selects_all = condition.namespace_selector.as_ref().is_some_and(|selector| {
        selector.match_labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty)
            && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
    });
    if selects_all {
        warnings.push(Problem::new(format!("{field}.namespaceSelector"), "is empty and selects every namespace"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::provider::azure::OwnIdentity;

    fn spec(value: Value) -> SecretStoreSpec {
        serde_json::from_value(value).unwrap()
    }

    fn azurekv(fields: &Value) -> Value {
        let mut provider = json!({
            "authType": "WorkloadIdentity", "vaultUrl": "https://team.vault.azure.net",
            "serviceAccountRef": {"name": "reader"},
        });
        provider.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"provider": {"azurekv": provider}})
    }

    fn problems(kind: StoreKind, value: Value) -> Vec<String> {
        let spec = spec(value);
        let namespace = (kind == StoreKind::SecretStore).then_some("team");
        let view = StoreView { kind, namespace, name: "vault", spec: &spec };
        check(&view, &Options::default()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_store_has_no_problem_and_no_warning() {
        let value = azurekv(&json!({"serviceAccountRef": {"name": "reader"}}));
        assert_eq!(problems(StoreKind::SecretStore, value.clone()), Vec::<String>::new());
        assert_eq!(warnings(StoreKind::SecretStore, &spec(value)), []);
    }

    #[test]
    fn each_problem_names_its_field() {
        let cases = [
            (azurekv(&json!({"vaultUrl": "https://team.example.com"})), "spec.provider.azurekv.vaultUrl: \"https"),
            (azurekv(&json!({"vaultUrl": "team"})), "spec.provider.azurekv.vaultUrl: \"team\" is not a URL"),
            (azurekv(&json!({"environmentType": "AzureStackCloud"})), "spec.provider.azurekv.environmentType: "),
            (
                azurekv(&json!({"serviceAccountRef": {"name": "reader", "namespace": "other"}})),
                "spec.provider.azurekv.serviceAccountRef.namespace: ",
            ),
            (
                azurekv(&json!({"serviceAccountRef": {"name": "../reader"}})),
                "spec.provider.azurekv.serviceAccountRef.name: ",
            ),
            (azurekv(&json!({"tenantId": "a/b"})), "spec.provider.azurekv.tenantId: "),
            (azurekv(&json!({"serviceAccountRef": null})), "spec.provider.azurekv.authType: WorkloadIdentity without"),
            (azurekv(&json!({"authType": "ManagedIdentity"})), "spec.provider.azurekv.authType: ManagedIdentity is"),
            (
                azurekv(&json!({"authType": "ServicePrincipal", "tenantId": "t", "authSecretRef": {
                    "clientId": {"name": "credentials", "key": "id", "namespace": "other"},
                    "clientSecret": {"name": "credentials", "key": "secret"}}})),
                "spec.provider.azurekv.authSecretRef.clientId.namespace: ",
            ),
            // As in ESO, even if the identity does not use it.
            (
                azurekv(&json!({"authSecretRef": {
                    "clientSecret": {"name": "credentials", "key": "secret", "namespace": "other"}}})),
                "spec.provider.azurekv.authSecretRef.clientSecret.namespace: ",
            ),
            (json!({"provider": {}}), "spec.provider: "),
            (json!({"provider": {"fake": {"data": [{"key": "", "value": "v"}]}}}), "spec.provider.fake: "),
            (json!({"provider": {"fake": {"data": []}}, "refreshInterval": "soon"}), "spec.refreshInterval: "),
            (
                json!({"provider": {"fake": {"data": []}}, "conditions": [{"namespaceRegexes": ["^a$", "("]}]}),
                "spec.conditions[0].namespaceRegexes[1]: ",
            ),
        ];
        for (value, field) in cases {
            let found = problems(StoreKind::SecretStore, value.clone());
            assert_eq!(found.len(), 1, "{value}: {found:?}");
            assert!(found[0].starts_with(field), "{value}: {found:?}");
        }
    }

    #[test]
    fn regular_expressions_of_namespaces_are_bounded_together() {
        let store = |regexes: Vec<String>| json!({"provider": {"fake": {"data": []}}, "conditions": [{"namespaceRegexes": regexes}]});
        let sane: Vec<_> = (0..100).map(|number| format!("^team-{number}-.*$")).collect();
        assert_eq!(problems(StoreKind::ClusterSecretStore, store(sane)), Vec::<String>::new());
        let found = problems(StoreKind::ClusterSecretStore, store(vec![r"\pL{60}".to_owned(); 100]));
        assert!(found.len() == 1 && found[0].contains("200000 states"), "{found:?}");
        let found = problems(StoreKind::ClusterSecretStore, store(vec!["a".to_owned(); 201]));
        assert!(found.len() == 1 && found[0].contains("has 201 items, more than the 200"), "{found:?}");
    }

    #[test]
    fn a_namespace_is_matched_by_any_expression_and_by_none_beyond_the_bound() {
        let condition =
            |regexes: Vec<String>| ClusterSecretStoreCondition { namespace_regexes: regexes, ..Default::default() };
        let matches = |regexes: Vec<String>| names_namespace(&condition(regexes), "team-a");
        assert!(matches(vec!["(".to_owned(), "^b$".to_owned(), "^team-.$".to_owned()]));
        assert!(!matches(vec!["^team$".to_owned()]));
        let mut costly = vec![r"\pL{60}\pN".to_owned(); 3];
        costly.push("team-a".to_owned());
        assert!(!matches(costly));
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let value = azurekv(&json!({"vaultUrl": "team", "tenantId": "a/b"}));
        let found = problems(StoreKind::SecretStore, value);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn where_the_operator_allows_it_a_secret_store_may_read_as_the_controller() {
        for change in [json!({"serviceAccountRef": null}), json!({"authType": "ManagedIdentity"})] {
            let spec = spec(azurekv(&change));
            let view = StoreView { kind: StoreKind::SecretStore, namespace: Some("team"), name: "vault", spec: &spec };
            let options = Options { own_identity: OwnIdentity::AllStores, ..Options::default() };
            assert_eq!(check(&view, &options), []);
            assert_eq!(
                check(&StoreView { kind: StoreKind::ClusterSecretStore, namespace: None, ..view }, &Options::default()),
                []
            );
        }
    }

    #[test]
    fn a_cluster_store_may_name_any_namespace_and_leave_it_open() {
        for account in [json!({"name": "reader"}), json!({"name": "reader", "namespace": "other"})] {
            let value = azurekv(&json!({"serviceAccountRef": account}));
            assert_eq!(problems(StoreKind::ClusterSecretStore, value), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_legal_but_unwise_is_a_warning() {
        let fake = json!({"fake": {"data": []}});
        let cases = [
            (json!({"provider": {"vault": {}}}), "spec.provider.vault: is not served"),
            (
                azurekv(&json!({"authType": "ManagedIdentity"})),
                "spec.provider.azurekv.serviceAccountRef: has no effect with authType ManagedIdentity; ",
            ),
            (json!({"provider": fake, "refreshInterval": 1}), "spec.refreshInterval: validates the store very often"),
            (
                json!({"provider": fake, "conditions": [{"namespaceRegexes": ["team-a"]}]}),
                "spec.conditions[0].namespaceRegexes[0]: \"team-a\" also matches",
            ),
            (
                json!({"provider": fake, "conditions": [{"namespaceSelector": {}}]}),
                "spec.conditions[0].namespaceSelector: is empty",
            ),
        ];
        for (value, warning) in cases {
            assert_eq!(problems(StoreKind::ClusterSecretStore, value.clone()), Vec::<String>::new());
            let found = warnings(StoreKind::ClusterSecretStore, &spec(value.clone()));
            assert_eq!(found.len(), 1, "{value}: {found:?}");
            assert!(found[0].to_string().starts_with(warning), "{found:?}");
        }
    }
}
