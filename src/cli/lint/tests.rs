//! What is said of manifests, and what `--fix` makes of them.

use proptest::prelude::*;
use rstest::rstest;

use super::check::check;
use super::fix::fixed;
use super::problem::{Id, Level, Problem};
use crate::cli::inputs::files::{File, Named};

fn file(path: &str, text: &str) -> File {
    File { path: Some(path.into()), text: text.to_owned(), named: Named::Itself }
}

fn problems(text: &str) -> Vec<Problem> {
    check(&[file("x.yaml", text)], &[])
}

/// Each as `line:column level[id] sentence`, without what is only worth knowing.
fn told(problems: &[Problem]) -> Vec<String> {
    let told = |problem: &Problem| {
        let Problem { mark, level, id, .. } = problem;
        format!("{}:{} {}[{}] {}", mark.line, mark.column, level.name(), id.name(), problem.sentence())
    };
    problems.iter().filter(|problem| problem.level > Level::Note).map(told).collect()
}

const GOOD: &str = "\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: db
spec:
  secretStoreRef: {name: vault}
  data:
  - secretKey: password # of the database
    remoteRef:
      key: db-password
";

#[test]
fn of_a_good_manifest_only_is_said_that_its_store_is_not_given() {
    let found = problems(GOOD);
    assert_eq!(told(&found), [""; 0]);
    let [note] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((note.id.name().as_str(), note.mark.line), ("store-not-given", 6));
}

/// A change of the good manifest, and what is said of it first.
#[rstest]
#[case(
    "key: db",
    "keyy: db",
    "10:7 error[unknown-field] spec.data[0].remoteRef.keyy: no such field; did you mean \"key\"?"
)]
#[case(
    "remoteRef",
    "remoteref",
    "9:5 error[unknown-field] spec.data[0].remoteref: no such field; did you mean \"remoteRef\"?"
)]
#[case(
    "  data:",
    "  surprise: 1\n  data:",
    "7:3 error[unknown-field] spec.surprise: no such field; the API server drops it silently"
)]
#[case(
    "  data:",
    "  refreshInterval: 0\n  data:",
    "7:3 error[type] spec.refreshInterval: without quotes it is a number in YAML, and must be text; put it in quotes"
)]
#[case("  data:", "  refreshInterval: soon\n  data:", "7:3 error[type] spec.refreshInterval: ")]
#[case(
    "  data:",
    "  refreshPolicy: Perodic\n  data:",
    "7:3 error[type] spec.refreshPolicy: is none of CreatedOnce, Periodic, OnChange; did you mean \"Periodic\"?"
)]
#[case(
    "name: db",
    "name: db\n  labels: {on: yes}",
    "5:3 error[type] metadata.labels.true: without quotes it is a truth value"
)]
#[case("key: db-password", "key: 1", "10:7 error[type] spec.data[0].remoteRef.key: without quotes it is a number")]
#[case(
    "      key: db-password\n",
    "      version: v\n",
    "9:5 error[type] spec.data[0].remoteRef: has no key, which it must have"
)]
#[case("name: db", "namespace: x", "3:1 error[type] metadata: has no name, which it must have")]
#[case("  data:", "  refreshInterval: 1s\n  data:", "7:3 warning[unwise] spec.refreshInterval: is very short")]
#[case(
    "  data:",
    "  target: {deletionPolicy: Delete, creationPolicy: Merge}\n  data:",
    "7:12 error[rejected] spec.target.deletionPolicy: "
)]
#[case(
    "  data:",
    "  target: {template: {data: {a.b: '{{ .pasword }}'}}}\n  data:",
    "7:30 error[missing-key] spec.target.template.data[\"a.b\"]: no entry of data has the secretKey \"pasword\", which the template reads; did you mean .password?"
)]
#[case(
    "  data:",
    "  target: {template: {data: {a: '{{ .password'}}}\n  data:",
    "7:30 error[template] spec.target.template.data[\"a\"]: the template cannot be parsed, line 1, column "
)]
#[case(
    "io/v1",
    "io/v1beta1",
    "1:1 warning[old-version] apiVersion: ESO 2.9.0 does not serve v1beta1 by default; write external-secrets.io/v1"
)]
#[case(
    "io/v1",
    "io/v1alpha1",
    "1:1 error[old-version] apiVersion: this version is not served, and has other fields; write external-secrets.io/v1"
)]
#[case("kind: ExternalSecret", "kind: PushSecretOfOthers", "2:1 warning[unsupported] kind: ")]
#[case("  data:", "  data: []\n  data:", "8:3 warning[twice] the key \"data\" is given twice: ")]
#[case("  secretStoreRef", " secretStoreRef", "7:3 error[syntax] this is not valid YAML: ")]
fn what_is_wrong_is_told_where_it_stands(#[case] good: &str, #[case] bad: &str, #[case] expected: &str) {
    let text = GOOD.replacen(good, bad, 1);
    let found = told(&problems(&text));
    assert!(found.first().is_some_and(|first| first.starts_with(expected)), "{expected}\n{found:#?}");
}

/// Manifests of real repositories, of which nothing is wrong that can be known.
#[rstest]
#[case::filled_in_by_flux(GOOD, "name: vault", "name: '${STORE:=vault}'")]
#[case::a_name_to_be_replaced(GOOD, "  data:", "  target: {name: '%APP%-db'}\n  data:")]
#[case::a_substitution_of_bash(GOOD, "  data:", "  refreshInterval: ${D/./-}\n  data:")]
#[case::one_anchor_twice(
    GOOD,
    "  data:",
    "  target: {name: &a one, template: {metadata: {labels: {a: &a two, b: *a}}}}\n  data:"
)]
#[case::nothing(GOOD, "  data:", "  target:\n  data:")]
fn what_is_filled_in_later_or_odd_but_right_is_no_problem(#[case] text: &str, #[case] good: &str, #[case] odd: &str) {
    assert_eq!(told(&problems(&text.replacen(good, odd, 1))), [""; 0]);
}

#[test]
fn a_template_of_helm_is_only_a_note() {
    let found = problems("apiVersion: external-secrets.io/v1\n{{- if .Values.on }}\nkind: ExternalSecret\n{{ end }}\n");
    assert_eq!((told(&found), found[0].level, found[0].id.name()), (vec![], Level::Note, "syntax".to_owned()));
}

#[test]
fn one_document_that_cannot_be_read_keeps_none_of_the_others() {
    let found = told(&problems(&format!("a: [\n---\n{}", GOOD.replace("key: db", "keyy: db"))));
    assert!(found[0].contains("error[syntax] this is not valid YAML: "), "{found:#?}");
    assert!(found[1].starts_with("12:7 error[unknown-field]"), "{found:#?}");
}

#[test]
fn comments_above_a_document_disable_checks_in_it_alone() {
    let bad = GOOD.replace("  data:", "  refreshInterval: 1s\n  data:");
    let of = |comment: &str| {
        let second = bad.replace("name: db", "name: other");
        told(&problems(&format!("{comment}---\n{bad}---\n{second}"))).len()
    };
    assert_eq!((of(""), of("# external-secrets-lint: disable=unwise, type\n"), of("# disable=unwise\n")), (2, 1, 2));
}

#[test]
fn items_of_a_list_are_objects() {
    let text = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "a"},
   "spec": {"provider": {"azurekv": {"vaultUrl": "https://a.vault.azure.net", "authtype": "ManagedIdentity"}}}}]}"#;
    let found = told(&problems(text));
    let expected = "3:79 error[unknown-field] items[0].spec.provider.azurekv.authtype: no such field";
    assert!(found.iter().any(|line| line.starts_with(expected)), "{found:#?}");
}

#[test]
fn of_two_files_only_is_said_what_is_sure() {
    let of = |one: &str, other: &str| {
        let found = check(&[file(one, GOOD), file(other, GOOD)], &[]);
        found.into_iter().find(|problem| problem.id.name() == "twice").map(|problem| problem.level)
    };
    assert_eq!(of("base/a.yaml", "base/b.yaml"), Some(Level::Note));
    assert_eq!(of("dev/a.yaml", "prod/a.yaml"), None, "each environment has its own");
    let other = GOOD.replace("name: db", "name: other").replace("  data:", "  target: {name: db}\n  data:");
    let found = told(&problems(&format!("{GOOD}---\n{other}")));
    assert!(
        found[0].contains("error[two-owners] spec.target.name: the ExternalSecret \"db\" in x.yaml, line 1"),
        "{found:?}"
    );
}

#[test]
fn a_credential_in_clear_text_is_told_without_it() {
    let store = "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: vault}\nspec:\n  provider:\n    azurekv:\n      tenantId: 00000000-0000-0000-0000-000000000000\n      vaultUrl: https://a.vault.azure.net\n      authSecretRef:\n        clientId: {name: creds, key: id}\n        clientSecret: {name: creds, key: secret}\n";
    let of = |value: &str| {
        let secret =
            format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: creds}}\nstringData:\n  secret: {value}\n");
        told(&problems(&format!("{store}{secret}")))
    };
    let found = of("hunter2");
    assert!(found.concat().contains("17:3 warning[plain-credential] stringData.secret: "), "{found:#?}");
    assert!(!found.concat().contains("hunter2"));
    assert_eq!(of("ENC[AES256_GCM,data:x]"), [""; 0]);
}

#[test]
fn a_secret_in_clear_text_is_told_once_however_many_stores_use_it() {
    let store = |number: usize| {
        format!(
            "---\napiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {{name: vault-{number}}}\nspec:\n  provider:\n    azurekv:\n      vaultUrl: https://a.vault.azure.net\n      authSecretRef:\n        clientSecret: {{name: creds, key: secret}}\n"
        )
    };
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: creds}\nstringData:\n  secret: hunter2\n";
    let text = (0..5).map(store).collect::<String>() + &secret.repeat(2);
    let found = problems(&text);
    let found: Vec<_> =
        found.iter().filter(|problem| problem.id == Id::PlainCredential).map(Problem::sentence).collect();
    let named = "a credential of SecretStore \"vault-0\", SecretStore \"vault-1\", SecretStore \"vault-2\" and 2 more stores stands here";
    assert_eq!(found.len(), 2, "one for each Secret: {found:#?}");
    assert!(found.iter().all(|sentence| sentence.contains(named)), "{found:#?}");
}

#[test]
fn a_vault_is_not_to_be_asked_more_often_than_it_answers() {
    let entries: Vec<_> = (0..100).map(|i| format!("  - {{secretKey: k{i}, remoteRef: {{key: k{i}}}}}\n")).collect();
    let entries = entries.concat();
    let one = |name: usize| {
        format!(
            "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: e{name}}}\nspec:\n  refreshInterval: 10s\n  secretStoreRef: {{name: vault}}\n  data:\n{entries}"
        )
    };
    let text: String = (0..41).map(one).collect();
    let found = told(&problems(&text));
    assert!(found.len() == 1 && found[0].contains("warning[too-often]") && found[0].contains("4100"), "{found:#?}");
}

#[rstest]
#[case("apiVersion: 'external-secrets.io/v1beta1' # old\n", "apiVersion: 'external-secrets.io/v1' # old\n")]
#[case("apiVersion:   external-secrets.io/v1beta1\n", "apiVersion:   external-secrets.io/v1\n")]
#[case(
    "apiVersion: a.io/v1beta1\napiVersion: external-secrets.io/v1beta1\n",
    "apiVersion: a.io/v1beta1\napiVersion: external-secrets.io/v1\n"
)]
fn an_old_version_is_put_right_and_nothing_else_changes(#[case] old: &str, #[case] new: &str) {
    let text = GOOD.replace("apiVersion: external-secrets.io/v1\n", old);
    let changed = fixed(&text, 0, &problems(&text)).unwrap();
    assert_eq!(changed, GOOD.replace("apiVersion: external-secrets.io/v1\n", new));
}

#[test]
fn numbers_get_quotes_and_fields_their_case() {
    let text =
        GOOD.replace("remoteRef:", "\"remoteref\":").replace("  data:", "  refreshInterval:  0 # never\n  data:");
    let expected =
        GOOD.replace("remoteRef:", "\"remoteRef\":").replace("  data:", "  refreshInterval:  \"0\" # never\n  data:");
    assert_eq!(fixed(&text, 0, &problems(&text)).unwrap(), expected);
}

proptest! {
    #[test]
    fn a_fix_leaves_nothing_to_be_fixed_and_changes_nothing_else(
        text in "(apiVersion: external-secrets.io/v1(beta1)?\n|kind: (ExternalSecret|SecretStore)\n|metadata: \\{name: a, labels: \\{a: (yes|1|b)\\}\\}\n|spec:\n|  data:\n|  - secretKey: (1|a)\n|    remoteref: \\{Key: 0x1F\\}\n|  refreshInterval: (0|1h|&a 1|\\*a|!!int 1)\n|  target: \\{template: \\{data: \\{a: 1.5\\}\\}\\}\n|---\n| |# x\n|\"){0,14}",
    ) {
        super::super::fuzzing::lint(text.as_bytes());
    }
}
